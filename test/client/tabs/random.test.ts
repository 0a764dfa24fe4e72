// Five tabs that are opened, closed, frozen and crashed at random, in virtual time, while numbered messages flow in both directions.
// Each arrives once and in order, in every tab that lives. Where also all tabs that know a session may be gone or frozen, messages may be
// lost, which is told, and still none arrives twice. Chromium's own locks and channels: test/browser.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { CarrierKind } from "../../../src/client/carrier.ts";
import type { Connection } from "../../../src/client/connection.ts";
import { type Channel, openSession } from "../../../src/index.ts";
import { testServer } from "../../../src/testing/index.ts";
import { seeded } from "../../support/random.ts";
import { MemoryBrowser, type MemoryTab } from "./memory-browser.ts";

const STEPS = 60;
/** Each is another course of events; TABS_SEEDS asks for more of them. */
const SEEDS = Number(process.env["TABS_SEEDS"] ?? 8);

interface Opened {
  readonly name: string;
  readonly tab: MemoryTab;
  readonly connection: Connection;
  /** The number of the session, and of the message in it. */
  readonly got: [session: number, message: number][];
  readonly openings: string[];
  sent: number;
  state: "running" | "told" | "untold" | "gone";
  /** True if all that it has sent must arrive: its page has run on. */
  isWhole: boolean;
}

/** `mayLose`: also ends or freezes the last tab that knows the session. */
async function play(seed: number, carrier: CarrierKind, { mayLose = false } = {}): Promise<void> {
  const { randomInt } = seeded(seed);
  const channels: Channel[] = [];
  const up = new Map<string, number[]>();
  /** The messages of each session to its tabs. */
  const down: number[] = [];
  const app = testServer(
    (request) =>
      openSession(request, {
        open: (channel) => void channels.push(channel),
        message(message) {
          const [name, number] = String(message).split(" ");
          if (!up.has(name!)) up.set(name!, []);
          up.get(name!)!.push(Number(number));
        },
      }),
    { random: () => randomInt(1000) / 1000 },
  );
  const browser = new MemoryBrowser(app.platform);
  const all: Opened[] = [];
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(`${app.clock.now() % 1e7} ${line}`);

  const open = (): void => {
    const name = `t${all.length + 1}`;
    const tab = browser.newTab();
    const connection = tab.connect(`${app.url}/`, { carriers: [carrier], debug: (line) => say(`${name} ${line}`) });
    const opened: Opened = {
      name,
      tab,
      connection,
      got: [],
      openings: [],
      sent: 0,
      state: "running",
      isWhole: true,
    };
    connection.onMessage((message) => opened.got.push(String(message).split(" ").map(Number) as [number, number]));
    connection.onOpen(({ session }) => opened.openings.push(session));
    connection.onError((error) => say(`${name} error ${error}`));
    all.push(opened);
    say(`open ${name}`);
  };
  const talk = (): void => {
    for (const [session, channel] of channels.entries()) {
      if (!channel.isOpen || randomInt(2) !== 0) continue;
      down[session] = (down[session] ?? 0) + 1;
      channel.send(`${session} ${down[session]}`);
    }
    for (const tab of all) {
      if (tab.state === "running" && randomInt(3) === 0) tab.connection.send(`${tab.name} ${++tab.sent}`);
    }
  };
  const pick = (state: Opened["state"]): Opened | undefined => {
    const those = all.filter((tab) => tab.state === state);
    return those[randomInt(those.length)];
  };
  const running = (): number => all.filter(({ state }) => state === "running").length;
  /** Tabs that can continue the session. If none of them ran, a new tab would begin another session. */
  const informed = (): number => all.filter(({ state, openings }) => state === "running" && openings.length > 0).length;

  open();
  await app.advance(1000);
  for (let step = 0; step < STEPS; step++) {
    for (let burst = randomInt(4); burst >= 0; burst--) {
      talk();
      if (randomInt(2) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const chance = randomInt(10);
    const victim = pick("running")!;
    if (running() < 3 || (chance === 0 && running() < 5)) open();
    else if ((mayLose ? running() : informed()) < 2) say("wait");
    else if (chance === 1 || chance === 2) {
      say(`crash ${victim.name}`);
      victim.state = "gone";
      victim.isWhole = false;
      victim.tab.crash();
    } else if (chance === 3) {
      say(`close ${victim.name}`);
      victim.state = "gone";
      victim.isWhole = false;
      victim.tab.close();
    } else if (chance === 4) {
      say(`freeze ${victim.name}`);
      victim.state = "told";
      victim.tab.freeze();
    } else if (chance === 5 && (carrier === "websocket" || mayLose)) {
      say(`freeze untold ${victim.name}`);
      victim.state = "untold";
      victim.tab.freeze({ isTold: false });
    } else if (chance === 6) {
      const frozen = pick("told") ?? pick("untold");
      if (frozen) {
        say(`thaw ${frozen.name}`);
        frozen.tab.thaw({ isTold: frozen.state === "told" });
        frozen.state = "running";
      }
    } else if (chance === 7) {
      say("cut");
      app.network.cut();
    } else if (chance === 8) {
      say(`leave ${victim.name}`);
      victim.state = "gone";
      // No tab may lead for longer than a closed connection waits: `drained` tells.
      victim.isWhole = false;
      victim.connection.drained().then(
        () => (victim.isWhole = true),
        () => say(`${victim.name} not drained`),
      );
      victim.connection.close();
    }
    await app.advance(randomInt(4) === 0 ? randomInt(8000) : randomInt(300));
  }
  for (const tab of all) {
    if (tab.state === "told" || tab.state === "untold") {
      tab.tab.thaw({ isTold: tab.state === "told" });
      tab.state = "running";
    }
  }
  await app.advance(40_000);
  talk();
  await app.advance(5000);

  const about = (): string => `seed ${seed}\n${lines.slice(-400).join("\n")}`;
  if (!mayLose) assert.equal(channels.length, 1, `one session; ${about()}`);
  for (const { name, sent, state, isWhole, got, openings, connection } of all) {
    const isLost = openings.includes("lost");
    assert.ok(mayLose || !isLost, `${name}: ${openings}; ${about()}`);
    const arrived = up.get(name) ?? [];
    const expected = isWhole ? sent : arrived.length;
    if (isLost) assert.deepEqual(arrived, inOrder(arrived), `${name} to the server; ${about()}`);
    else assert.deepEqual(arrived, count(1, expected), `${name} to the server; ${about()}`);
    for (const session of new Set(got.map(([first]) => first))) {
      const numbers = got.flatMap(([one, number]) => (one === session ? [number] : []));
      const all = isLost ? inOrder(numbers) : count(numbers[0]!, numbers[0]! + numbers.length - 1);
      assert.deepEqual(numbers, all, `the server to ${name}; ${about()}`);
    }
    if (state === "running") {
      assert.equal(connection.state, "open", `${name}; ${about()}`);
      assert.equal(connection.bufferedAmount, 0, `${name}; ${about()}`);
      const [session = 0, number] = got.at(-1) ?? [];
      if (got.length > 0) assert.equal(number, down[session], `the last one to ${name}; ${about()}`);
    }
  }
  for (const { connection } of all) connection.close();
  await app.advance(1000);
  await app.stop();
}

function count(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}

/** The numbers without those that came twice or too late. */
function inOrder(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}

describe("Tabs that are opened, closed, frozen and crashed at random", () => {
  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`lose nothing and repeat nothing (${carrier}, ${SEEDS} seeds)`, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) await play(seed, carrier);
    });

    it(`lose nothing untold and repeat nothing, also when none is left that knows the session (${carrier}, ${SEEDS} seeds)`, async () => {
      for (let seed = 1; seed <= SEEDS; seed++) await play(seed, carrier, { mayLose: true });
    });
  }
});
