// The programs of docs/how-to/language-models.md run as they are printed: only the model's URL and the port are put in.

import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import type { Connection, StreamView } from "../../src/client/index.ts";
import type { Server } from "../../src/index.ts";
import { until } from "../support/wait.ts";
import { block, program, run } from "./programs.ts";

interface Model {
  readonly url: string;
  /** The answers that are being written. A test writes their tokens. */
  readonly answers: ServerResponse[];
}

/** A token as an event of OpenAI's chat completions. */
const token = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;

interface Page {
  readonly output: { textContent?: string };
  readonly cancelButton: { onclick(): void };
  readonly view: StreamView;
  readonly connection: Connection;
}

/** The page of the guide, without a document. */
async function page(t: TestContext, url: string): Promise<Page> {
  const text = block("language-models", "StreamView").replace('connect("/")', `connect(${JSON.stringify(url)})`);
  const program = `export const output = {}, cancelButton = {};\n${text}\nexport { view, connection };`;
  const loaded = (await run(t, program)) as unknown as Page;
  t.after(() => loaded.connection.close());
  return loaded;
}

/** A model that says one token and then thinks for ever. */
async function model(t: TestContext, first = "token "): Promise<Model> {
  const answers: ServerResponse[] = [];
  const server = createServer((_, response) => {
    answers.push(response);
    response.write(first);
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

  it("gives an answer to a page, the rest of it to the page when it is loaded again, and stops the model at its cancel button", async (t) => {
    const { url, answers } = await model(t, token("Hello"));
    const server = await serverOf(t, "modelText", url);
    const first = await page(t, server.url);
    await first.connection.opened;
    first.connection.send("hi");
    await until(() => first.output.textContent === "Hello", "a token has come");
    assert.deepEqual(first.view.info, { prompt: "hi" });
    first.connection.close();
    answers[0]!.write(token(" you"));
    const again = await page(t, server.url);
    await until(() => again.output.textContent === "Hello you", "the page continues");
    const stopped = new Promise((done) => answers[0]!.on("close", done));
    again.cancelButton.onclick();
    await stopped;
    await until(() => again.view.state === "stopped", "the page knows");
    for (const prompt of ["second", "third"]) again.connection.send(prompt);
    const isThird = (): boolean => (again.view.info as { prompt: string }).prompt === "third";
    await until(() => isThird() && again.view.text === "Hello", "a prompt stops the answer before it");
    answers.at(-1)!.end("data: [DONE]\n\n");
    await until(() => again.view.state === "done", "the model has ended");
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
