// The programs of docs/how-to/from-socket-io.md run as they are printed: only ports, the user's token and the path of events.ts are
// put in. Those for Socket.IO and ours have the same conversation; clients run in processes of their own.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { connect } from "../../src/client/connect.ts";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, blocks, type Program, program, run, start, write } from "./programs.ts";

const PAGE = "from-socket-io";
/** The texts by which programs are found. */
const THEIR_SERVER = 'from "socket.io"';
const THEIR_CLIENT = 'from "socket.io-client"';
const EVENTS = "export function withEvents";
const SERVER = "openSession";
const CLIENT = 'from "unichannel/client"';

interface Events {
  on(event: string, handler: (...args: unknown[]) => unknown): void;
  emit(event: string, ...args: unknown[]): boolean;
  emitWithAck(event: string, ...args: unknown[]): Promise<unknown>;
}

interface EventsModule {
  readonly codec: { encode(message: unknown): string; decode(text: string | Uint8Array): unknown };
  withEvents(channel: unknown): Events;
}

interface Site {
  readonly server: Server;
  readonly events: EventsModule;
  client(token: string): Program;
}

async function siteOf(t: TestContext): Promise<Site> {
  const file = pathToFileURL(write(t, block(PAGE, EVENTS))).href;
  const { server } = (await run(t, program(PAGE, SERVER).replace("./events.ts", file))) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  const client = block(PAGE, CLIENT).replace("./events.ts", file).replace("127.0.0.1:9090", `127.0.0.1:${server.port}`);
  return {
    server,
    events: (await import(file)) as EventsModule,
    client: (token) => start(t, client.replace("s3cret", token)),
  };
}

/** The lines that a program of the page has logged after its address. */
function said(log: { readonly mock: { readonly calls: readonly { readonly arguments: unknown[] }[] } }): unknown[][] {
  const [[address] = [], ...rest] = log.mock.calls.map((call) => call.arguments);
  assert.match(String(address), /^http:/);
  return rest;
}

/** A conversation of two users in the lobby: events, acknowledgements, and a user who joins. */
async function converse(client: (token: string) => Program): Promise<void> {
  const ann = client("s3cret");
  await ann.printed(/^ok$/m);
  const bob = client("pa55word");
  await bob.printed(/^ok$/m);
  await ann.printed(/^bob: hello$/m);
  assert.equal(ann.output(), "ann: hello\nok\nbob joined\nbob: hello\n");
  assert.equal(bob.output(), "bob: hello\nok\n");
}

describe("the guide from Socket.IO", () => {
  it("has a server and a client for Socket.IO that have the conversation", async (t) => {
    const listening = block(PAGE, THEIR_SERVER).replace("new Server(9090", "new Server(0");
    const server = start(t, `${listening}\nconsole.log("port", io.httpServer.address().port);`);
    const [, port] = await server.printed(/^port (\d+)$/m);
    const text = block(PAGE, THEIR_CLIENT).replace("127.0.0.1:9090", `127.0.0.1:${port}`);
    const client = (token: string): Program => start(t, text.replace("s3cret", token));
    await converse(client);
    await client("wrong").printed(/^unauthorized$/m);
  });

  it("has a server and a client of ours that have the same conversation", async (t) => {
    const log = t.mock.method(console, "log", () => {});
    const { client } = await siteOf(t);
    await converse(client);
    assert.deepEqual(said(log), []);
  });

  it("has a client that ends when its user is unknown", async (t) => {
    t.mock.method(console, "log", () => {});
    const { client } = await siteOf(t);
    await client("wrong").printed(/^closed: 1008/m);
  });

  it("has events.ts at both ends: a handler may fail, and may wait for an acknowledgement", async (t) => {
    const log = t.mock.method(console, "log", () => {});
    const error = t.mock.method(console, "error", () => {});
    const { server, events } = await siteOf(t);
    const connection = connect(server.url, { codec: events.codec as never, params: { token: "s3cret" } });
    t.after(() => connection.close());
    const socket = events.withEvents(connection);
    assert.equal(socket.emit("unknown"), true);
    assert.equal(await socket.emitWithAck("unknown"), null);
    const asked = new Promise((done) => socket.on("said", (...said) => done(socket.emitWithAck("unknown", ...said))));
    assert.equal(await socket.emitWithAck("say", "one"), "ok");
    assert.equal(await asked, null);
    socket.on("said", () => {
      throw new Error("a fault in a handler");
    });
    assert.equal(await socket.emitWithAck("say", "two"), "ok");
    await until(() => error.mock.calls.length === 1, "the fault is printed");
    connection.close();
    await until(() => said(log).length === 1, "the server has logged that ann left");
    assert.deepEqual(said(log), [["ann", "left:", "client", "normal"]]);
  });

  it("has no program that is not run here", () => {
    const marks = [THEIR_SERVER, THEIR_CLIENT, EVENTS, SERVER, CLIENT];
    assert.deepEqual(
      blocks(PAGE, "ts").map((text) => marks.filter((mark) => text.includes(mark))),
      marks.map((mark) => [mark]),
    );
  });
});
