// @ts-check
// A thousand objects of 1.3 kB are added and removed, like the polls of a group (src/base/indexed-set.ts), in a Set, a Map or an
// IndexedSet. Garbage collection is included: objects that old tables still hold are copied, and end in the old space.
import { bench, run, summary } from "mitata";
import { IndexedSet } from "../../dist/src/base/indexed-set.js";

const MEMBERS = 1000;
const WORDS = 160;

class Member {
  index = undefined;
  held = new Array(WORDS).fill(undefined);
}

/** @type {Set<Member>} */
const set = new Set();
/** @type {Map<Member, string>} */
const map = new Map();
/** @type {IndexedSet<Member>} */
const indexed = new IndexedSet();

/** @param {(member: Member) => void} add @param {(member: Member) => void} remove */
function cycle(add, remove) {
  return () => {
    const members = Array.from({ length: MEMBERS }, () => new Member());
    for (const member of members) add(member);
    for (const member of members) remove(member);
  };
}

summary(() => {
  bench(
    "IndexedSet",
    cycle(
      (member) => indexed.add(member),
      (member) => indexed.delete(member),
    ),
  );
  bench(
    "Set",
    cycle(
      (member) => set.add(member),
      (member) => set.delete(member),
    ),
  );
  bench(
    "Map",
    cycle(
      (member) => map.set(member, ""),
      (member) => map.delete(member),
    ),
  );
});

await run();
