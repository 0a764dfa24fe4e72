// The programs of docs/how-to/from-better-sse.md run as they are printed: only ports are put in. The program for better-sse and ours
// serve the same page, whose EventSource is the one of Node.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import { until } from "../support/wait.ts";
import { block, blocks, type Program, program, start } from "./programs.ts";

const PAGE = "from-better-sse";
const THEIRS = 'from "better-sse"';
const TICKS = "createChannelStore";
const TICKS_PAGE = 'addEventListener("tick"';
const JOB = "const steps";
const JOB_PAGE = 'addEventListener("done"';

/** The flag of the versions of Node in which EventSource is experimental. */
const NODE_OPTIONS = `${"EventSource" in globalThis ? "" : "--experimental-eventsource "}--no-warnings`;

/** Starts a server of the page in a process of its own, because its timers never end. */
async function served(t: TestContext, mark: string): Promise<{ readonly host: string; readonly server: Program }> {
  const text = program(PAGE, mark).replace(
    "server.listen(9090)",
    "await new Promise((done) => server.listen(0, done))",
  );
  const server = start(t, `${text}\nconsole.log("port", server.port ?? server.address().port);`);
  const [, port] = await server.printed(/^port (\d+)$/m);
  return { host: `127.0.0.1:${port}`, server };
}

const page = (t: TestContext, mark: string, host: string): Program =>
  start(t, block(PAGE, mark).replace(/127\.0\.0\.1:\d+/, host), { NODE_OPTIONS });

/** Reads events until one of them matches, and leaves. Returns all of them. */
async function eventsUntil(url: string, last: RegExp, lastEventId?: string): Promise<string> {
  const leaving = new AbortController();
  const headers = {
    Accept: "text/event-stream",
    ...(lastEventId === undefined ? {} : { "Last-Event-ID": lastEventId }),
  };
  const { body } = await fetch(url, { headers, signal: leaving.signal });
  const reader = body!.getReader();
  let events = "";
  while (!last.test(events)) events += Buffer.from((await reader.read()).value!).toString();
  leaving.abort();
  return events;
}

const counts = (events: string): number[] => [...events.matchAll(/"count":(\d+)/g)].map(([, count]) => Number(count));

describe("the guide from better-sse", () => {
  for (const [name, mark] of [["for better-sse", THEIRS] as const, ["of ours", TICKS] as const]) {
    it(`has a program ${name} that sends its page a greeting and ticks`, async (t) => {
      const { host, server } = await served(t, mark);
      const client = page(t, TICKS_PAGE, host);
      await client.printed(/^hello ann\n(?:\d+\n){2}/);
      const [one, two] = [...client.output().matchAll(/^(\d+)$/gm)].map(([, count]) => Number(count));
      assert.equal(two, one! + 1);
      assert.equal((await fetch(`http://${host}/`)).status, 404);
      await eventsUntil(`http://${host}/sse`, /welcome/);
      await server.printed(/^left$/m);
    });
  }

  it("sends a client that comes back the ticks that it missed, once", async (t) => {
    const { host } = await served(t, TICKS);
    const url = `http://${host}/sse`;
    const before = await eventsUntil(url, /"count".*\n\n/);
    const [, id] = /^id: ?(.+)$/m.exec(before)!;
    await eventsUntil(url, /"count".*\n\n/);
    const after = await eventsUntil(url, /"count"[\s\S]*"count".*\n\n/, id);
    const [first] = counts(before);
    assert.deepEqual(counts(after).slice(0, 2), [first! + 1, first! + 2]);
  });

  it("serves the ticks to a WebSocket", async (t) => {
    const { host } = await served(t, TICKS);
    const socket = new WebSocket(`ws://${host}/sse`);
    t.after(() => socket.terminate());
    const texts: string[] = [];
    socket.on("message", (data) => texts.push(String(data)));
    await until(() => texts.length >= 2, "the greeting and a tick have arrived");
    assert.equal(texts[0], '{"user":"ann"}');
    assert.match(texts[1]!, /^\{"count":\d+\}$/);
  });

  it("has a job whose steps arrive once, from the one that the client has", async (t) => {
    const { host } = await served(t, JOB);
    const client = page(t, JOB_PAGE, host);
    await client.printed(/^read\nsorted\nwritten\n$/);
    const events = await eventsUntil(`http://${host}/`, /event: ?done/, "0");
    assert.deepEqual(
      [...events.matchAll(/^data: ?(\S.*)$/gm)].map(([, data]) => data),
      ["sorted", "written"],
    );
  });

  it("has no program that is not run here", () => {
    const marks = [THEIRS, TICKS, TICKS_PAGE, JOB, JOB_PAGE];
    assert.deepEqual(
      blocks(PAGE, "ts").map((text) => marks.filter((mark) => text.includes(mark))),
      marks.map((mark) => [mark]),
    );
  });
});
