// @ts-check
// The order of events in the chat of app-chat, as its members see it: the first member to receive an event notes it, and all others
// must receive the same text in the same place.
import { KEPT } from "./chat.js";
import { fail } from "./generator.js";

/** @typedef {{ type: string, n: number, t: number, name: string, text?: string, names: readonly string[] }} ChatEvent */

/** @typedef {{ text: string, event: ChatEvent, sentAt: number }} Noted `sentAt`: of a line */

export class ChatLog {
  /** By `n`. @type {(Noted | undefined)[]} */
  #events = [];
  /** By `t`. @type {(Noted | undefined)[]} */
  #typing = [];
  /** By `n`: 1 for a member who came, -1 for one who went, 0 for a line. @type {number[]} */
  #changes = [];
  /** Notices that a member did not get, which must be its own. @type {{ t: number, name: string }[]} */
  #gaps = [];
  /** The welcomes: so many names at `n`, and so many lines before. @type {{ n: number, names: number, lines: number }[]} */
  #welcomes = [];
  /** When each line was sent. @type {Map<string, number>} */
  #sentAt = new Map();
  #parse;

  /** @param {(text: string) => ChatEvent} parse */
  constructor(parse) {
    this.#parse = parse;
  }

  /** @param {string} line */
  said(line) {
    this.#sentAt.set(line, performance.now());
  }

  /** The event, if it is the one that follows `n` or `t`; otherwise parsed. @param {string} text @param {number} n @param {number} t */
  read(text, n, t) {
    const next = this.#events[n + 1];
    if (next?.text === text) return next;
    const typing = this.#typing[t + 1];
    if (typing?.text === text) return typing;
    const event = this.#parse(text);
    return { text, event, sentAt: this.#sentAt.get(event.text ?? "") ?? Number.NaN };
  }

  /** Notes an event that is not known, and compares one that is. @param {Noted} noted */
  note(noted) {
    const { type, n, t } = noted.event;
    const [events, at] = type === "typing" ? [this.#typing, t] : [this.#events, n];
    const known = events[at];
    if (known === noted) return;
    if (known !== undefined && known.text !== noted.text) fail(new Error(`${known.text}, or ${noted.text}`));
    if (type === "said" && Number.isNaN(noted.sentAt)) fail(new Error(`nobody said ${noted.text}`));
    events[at] = noted;
    if (type !== "typing") this.#changes[n] = { joined: 1, left: -1, said: 0 }[type] ?? Number.NaN;
  }

  /** The member with this name came as event `n`, got so many names, and so many lines. @param {number} n @param {number} names @param {number} lines */
  welcomed(n, names, lines) {
    this.#changes[n] = 1;
    this.#welcomes.push({ n, names, lines });
  }

  /** @param {number} t @param {string} name */
  gap(t, name) {
    this.#gaps.push({ t, name });
  }

  /** True if all notices after `t`, up to `end`, are those of `name`. @param {number} t @param {number} end @param {string} name */
  areOwn(t, end, name) {
    for (let at = t + 1; at <= end; at++) if (this.#typing[at]?.event.name !== name) return false;
    return true;
  }

  /** Says what is wrong, when all has arrived. */
  fault() {
    const gap = this.#gaps.find(({ t, name }) => this.#typing[t]?.event.name !== name);
    if (gap !== undefined) return `${gap.name} did not get the notice ${gap.t}`;
    let [members, lines] = [0, 0];
    const counts = this.#changes.map((change) => {
      members += change;
      lines += change === 0 ? 1 : 0;
      return { members, lines };
    });
    for (const welcome of this.#welcomes) {
      const at = counts[welcome.n];
      if (at?.members !== welcome.names + 1) return `${welcome.names} names for ${at?.members} members`;
      if (Math.min(at.lines, KEPT) !== welcome.lines) return `${welcome.lines} of ${at.lines} lines`;
    }
    return undefined;
  }
}
