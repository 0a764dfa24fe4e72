// @ts-check
// A thousand of 1.3 kB come and go, as the polls of a room do (src/base/indexed-set.ts): kept in a Set, a Map, or an IndexedSet.
// A collection is part of it: what the tables of before still hold is copied, and ends in the old space.
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
