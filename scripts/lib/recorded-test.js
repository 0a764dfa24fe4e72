// @ts-check
// Stands for node:test where Bun and Deno run the tests: theirs, with a record of each test. Neither of the two reports why a
// test was skipped, and both have output of their own. UNICHANNEL_RECORD names the file; it gets one JSON text for each line.
import { appendFileSync } from "node:fs";
import * as real from "node:test";

// Taken out at once: Bun changes the members of the module itself when another takes its place.
const { after, afterEach, before, beforeEach, describe: realDescribe, it: realIt, mock } = real;

const file = process.env["UNICHANNEL_RECORD"] ?? "/dev/null";

/**
 * @typedef {object} Record
 * @property {string} name with the names of the suites around it
 * @property {"passed" | "failed" | "skipped"} outcome
 * @property {string} [reason] why it was skipped
 */

/** @param {Record} record */
function add(record) {
  appendFileSync(file, `${JSON.stringify(record)}\n`);
}

/** @param {unknown} skip */
const reasonOf = (skip) => (typeof skip === "string" && skip !== "" ? skip : "no reason given");

/** The reason to skip the suites around; undefined if they run. @type {string | undefined} */
let suiteSkipped;
/** The names of the suites around. @type {readonly string[]} */
let suites = [];

/** @type {any} */
export function it(/** @type {string} */ name, /** @type {any} */ options, /** @type {any} */ run) {
  if (typeof options === "function") return it(name, {}, options);
  const path = [...suites, name].join(" > ");
  const { skip } = options;
  if (suiteSkipped !== undefined || (skip !== undefined && skip !== false)) {
    add({ name: path, outcome: "skipped", reason: suiteSkipped ?? reasonOf(skip) });
    return realIt(name, { ...options, skip: true }, run);
  }
  return realIt(name, options, async (/** @type {any} */ t) => {
    let reason = "";
    /** @type {(() => unknown)[]} */
    const hooks = [];
    const context = new Proxy(t, {
      get(target, key) {
        if (key === "skip") {
          return (/** @type {unknown} */ why) => {
            reason = reasonOf(why);
          };
        }
        // Deno never calls the hooks of a test inside a suite.
        if (key === "after") return (/** @type {() => unknown} */ hook) => void hooks.push(hook);
        const value = target[key];
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    /** The errors of the test and of its hooks, which often fail because the test has. @type {unknown[]} */
    const errors = [];
    for (const step of [() => run(context), () => runAll(hooks), () => t.mock?.restoreAll?.()]) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) {
      add({ name: path, outcome: "failed" });
      throw errors[0];
    }
    add(reason === "" ? { name: path, outcome: "passed" } : { name: path, outcome: "skipped", reason });
  });
}

/** @param {(() => unknown)[]} hooks */
async function runAll(hooks) {
  for (const hook of hooks) await hook();
}

/** @type {any} */
export function describe(/** @type {string} */ name, /** @type {any} */ options, /** @type {any} */ run) {
  if (typeof options === "function") return describe(name, {}, options);
  const { skip } = options;
  const own = [...suites, name];
  const inside = () => {
    const around = suites;
    suites = own;
    run();
    suites = around;
  };
  if (skip === undefined || skip === false) return realDescribe(name, options, inside);
  // Node does not look inside; here each test in it is counted as skipped.
  return realDescribe(name, () => {
    const around = suiteSkipped;
    suiteSkipped ??= reasonOf(skip);
    inside();
    suiteSkipped = around;
  });
}

export { after, afterEach, before, beforeEach, mock };
