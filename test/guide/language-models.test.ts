// The programs of docs/guide/language-models.md run as they are printed: only the model's URL and the port are put in.

import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { program, run } from "./programs.ts";

interface Model {
  readonly url: string;
  /** The answers that are being written. A test writes their tokens. */
  readonly answers: ServerResponse[];
}

/** A model that says one token and then thinks for ever. */
async function model(t: TestContext): Promise<Model> {
  const answers: ServerResponse[] = [];
  const server = createServer((_, response) => {
    answers.push(response);
    response.write("token ");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.after(() => server.closeAllConnections());
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answers };
}

async function serverOf(t: TestContext, mark: string, modelUrl: string): Promise<Server> {
  const text = program("language-models", mark).replace("MODEL_URL", JSON.stringify(modelUrl));
  const { server } = (await run(t, text)) as { server: Server };
  t.after(() => server.stop({ graceMs: 0 }));
  return server;
}

describe("the guide to language models", () => {
  for (const accept of ["text/plain", "text/event-stream"]) {
    it(`stops the model when the client of ${accept} leaves`, async (t) => {
      const { url, answers } = await model(t);
      const server = await serverOf(t, "channel.drained", url);
      const leaving = new AbortController();
      const response = await fetch(`${server.url}/?prompt=hello`, {
        headers: { Accept: accept },
        signal: leaving.signal,
      });
      const reader = response.body!.getReader();
      assert.match(Buffer.from((await reader.read()).value!).toString(), /token/);
      const closed = new Promise((done) => answers[0]!.on("close", done));
      leaving.abort();
      await closed;
      await until(() => server.stats().channels.stream + server.stats().channels.sse === 0, "its channel has ended");
    });
  }

  it("stops the model when a WebSocket closes, and gives its whole answer to one that stays", async (t) => {
    const { url, answers } = await model(t);
    const server = await serverOf(t, "channel.drained", url);
    const [leaving, staying] = [open(t, server), open(t, server)];
    await until(() => leaving.texts.length + staying.texts.length === 2, "both have a token");
    const closed = new Promise((done) => answers.map((answer) => answer.on("close", done)));
    leaving.socket.close();
    await closed;
    for (const answer of answers) answer.end("the end");
    await until(() => staying.isClosed(), "the other one has all");
    assert.equal(staying.texts.join(""), "token the end");
  });

  it("stops the model at a cancel message, and when the client leaves", async (t) => {
    const { url, answers } = await model(t);
    const server = await serverOf(t, "cancel", url);
    const client = open(t, server);
    await new Promise((done) => client.socket.on("open", done));
    client.socket.send("first");
    await until(() => client.texts.length === 1, "a token has come");
    const cancelled = new Promise((done) => answers[0]!.on("close", done));
    client.socket.send("cancel");
    await cancelled;
    client.socket.send("second");
    await until(() => client.texts.length === 2, "the next answer has begun");
    const left = new Promise((done) => answers[1]!.on("close", done));
    client.socket.terminate();
    await left;
  });
});

interface Client {
  readonly socket: WebSocket;
  readonly texts: string[];
  isClosed(): boolean;
}

function open(t: TestContext, server: Server): Client {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/?prompt=hello`);
  const texts: string[] = [];
  let isClosed = false;
  socket.on("message", (data) => texts.push(String(data)));
  socket.on("close", () => {
    isClosed = true;
  });
  t.after(() => socket.terminate());
  return { socket, texts, isClosed: () => isClosed };
}
