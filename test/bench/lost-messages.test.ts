// The generators of the benchmarks against servers that lose one message, or send one twice: such a round must not count. A faithful server shows that they
// measure at all.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";

/** How often a server sends the message with this number. */
type Copies = (number: number) => number;
const FAITHFUL: Copies = () => 1;
const LOSES_ONE: Copies = (number) => (number === 9 ? 0 : 1);
const SENDS_ONE_TWICE: Copies = (number) => (number === 9 ? 2 : 1);

type Answer = (message: string, socket: WebSocket, all: ReadonlySet<WebSocket>, send: typeof sendText) => void;

function sendText(socket: WebSocket, text: string): void {
  socket.send(text);
}

/** The report of a generator, or what it prints when it ends instead. */
async function load(
  file: string,
  config: object,
  answer: Answer,
  copies: Copies,
): Promise<{ operations: number; error?: string }> {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  let sent = 0;
  const send = (socket: WebSocket, text: string): void => {
    for (let times = copies(sent++); times > 0; times--) sendText(socket, text);
  };
  server.on("connection", (socket) =>
    socket.on("message", (data) => answer(data.toString(), socket, server.clients, send)),
  );
  const { port } = server.address() as AddressInfo;
  // A message that is lost never comes, and one that came twice stays: only then is the time over.
  const times = { seconds: 0.3, warmupSeconds: 0.1, settleMs: copies === FAITHFUL ? 20_000 : 300 };
  const facts = { port, ports: [port], serverPids: [], connections: 2, ...times, ...config };
  const child = fork(`bench/load/${file}`, [JSON.stringify(facts)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let printed = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => (printed += text));
  let report: { operations: number; error?: string } | undefined;
  child.once("message", (message) => (report = message as typeof report));
  await once(child, "close");
  for (const client of server.clients) client.terminate();
  server.close();
  return report ?? { operations: 0, error: printed };
}

const echo: Answer = (message, socket, _, send) => send(socket, message);
const toAll: Answer = (message, _, all, send) => {
  for (const member of all) send(member, message);
};
/** As the servers of fan-out.js: a message is the number of messages to publish. */
const burst: Answer = (message, _, all, send) => {
  for (let i = Number(message); i > 0; i--) for (const member of all) send(member, "unichannel unich");
};

const GENERATORS: [
  name: string,
  file: string,
  config: object,
  answer: Answer,
  lost: RegExp | undefined,
  twice: RegExp,
][] = [
  [
    "echo",
    "ws-echo.js",
    { inFlight: 4, messageBytes: 32, binary: false },
    echo,
    /0\.3 s after the end 1 of 2 connections wait for replies/,
    /more replies than requests/,
  ],
  [
    "echo in bursts",
    "session-echo.js",
    { inFlight: 4, messageBytes: 32, session: false },
    echo,
    /1 of 2 connections wait for replies/,
    /1 of 2 connections have more replies than requests/,
  ],
  [
    "messages to all",
    "cluster.js",
    { inFlight: 4 },
    toAll,
    /1 messages have not reached all members/,
    /heard twice|have not reached all/,
  ],
  // A message that is lost lets it wait: the parent ends it after a minute.
  ["bursts to all", "fan-out.js", { burst: 1, messageBytes: 16 }, burst, undefined, /more than was published/],
];

describe("a generator of the benchmarks", () => {
  for (const [name, file, config, answer, lost, twice] of GENERATORS) {
    it(`counts ${name}`, async () => {
      const { operations, error } = await load(file, config, answer, FAITHFUL);
      assert.equal(error, undefined);
      assert.ok(operations > 0);
    });

    it(`refuses a round of ${name} in which a message came twice`, async () => {
      const { error = "" } = await load(file, config, answer, SENDS_ONE_TWICE);
      assert.match(error, twice);
    });

    if (lost === undefined) continue;
    it(`refuses a round of ${name} in which a message was lost`, async () => {
      const { error = "" } = await load(file, config, answer, LOSES_ONE);
      assert.match(error, lost);
    });
  }
});
