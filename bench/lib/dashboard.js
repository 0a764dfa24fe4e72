// @ts-check
// The data of the dashboard rows: 50 groups with 10 messages a second each. The messages of a group are numbered, and everything in
// them but their time follows from the number.
import { steadily } from "./application.js";
import { now } from "./clock.js";

export const GROUPS = 50;
const PER_SECOND = 10;
const ROWS = ["orders", "visits", "errors", "revenue", "latency"];

/** The name of a group. @param {number} index */
export const groupName = (index) => `panel-${index % GROUPS}`;

/** @param {string} group @param {number} n @param {number} at */
export function update(group, n, at) {
  const rows = ROWS.map((name, i) => ({
    name,
    value: ((n * 7919 + i * 104_729) % 100_000) / 100,
    change: (n % 21) - 10,
  }));
  return { group, n, at, rows };
}

/**
 * The source of the messages, and the answers of a dashboard's server to its generator: `POST /start`, and `POST /stop`, which says
 * how many messages each group has had.
 * @param {(group: string, message: ReturnType<typeof update>) => void} publish
 */
export function dashboard(publish) {
  let published = 0;
  let stop = () => {};
  return {
    /** The body of the answer; undefined for another request. @param {string} [target] */
    control(target) {
      if (target === "/start") {
        stop = steadily(GROUPS * PER_SECOND, () => {
          const group = groupName(published);
          publish(group, update(group, 1 + Math.floor(published++ / GROUPS), now()));
        });
        return "{}";
      }
      if (target !== "/stop") return undefined;
      stop();
      const counts = Array.from({ length: GROUPS }, (_, i) => Math.floor((published + GROUPS - 1 - i) / GROUPS));
      return JSON.stringify(counts);
    },
  };
}

/** The group in the URL of a member, and the id from which a poll goes on. @param {string} [target] */
export function watchOf(target = "") {
  const query = new URLSearchParams(target.slice(target.indexOf("?") + 1));
  return { group: query.get("group") ?? "", since: query.get("since") };
}
