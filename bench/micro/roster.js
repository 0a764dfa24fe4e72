// @ts-check
// A thousand of 1.3 kB come and go, as the polls of a room do (src/base/roster.ts): kept in a Set, a Map, or a Roster.
// A collection is part of it: what the tables of before still hold is copied, and ends in the old space.
import { bench, run, summary } from "mitata";
import { Roster } from "../../dist/src/base/roster.js";

const MEMBERS = 1000;
const WORDS = 160;

class Member {
  place = -1;
  held = new Array(WORDS).fill(undefined);
}

/** @type {Set<Member>} */
const set = new Set();
/** @type {Map<Member, string>} */
const map = new Map();
/** @type {Roster<Member>} */
const roster = new Roster();

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
    "Roster",
    cycle(
      (member) => roster.add(member),
      (member) => roster.delete(member),
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
