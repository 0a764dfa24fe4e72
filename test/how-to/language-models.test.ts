// The programs of docs/how-to/language-models.md run as they are printed: only the model's URL and the port are put in.

import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { WebSocket } from "ws";
import type { Server } from "../../src/index.ts";
import { chromium } from "../browser/engines/chromium.ts";
import { type Page, waitFor } from "../browser/engines/engine.ts";
import { until } from "../support/wait.ts";
import { readServer, readSite, tabsOf } from "./reader.ts";

const PAGE = "language-models";

interface Model {
  readonly url: string;
  /** The answers that are being written. A test writes their tokens. */
  readonly answers: ServerResponse[];
}

/** A token as an event of OpenAI's chat completions. */
const token = (content: string): string =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`;

/** A model that says one token and then thinks for ever. */
async function model(t: TestContext, first = token("token ")): Promise<Model> {
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

const withModel =
  (url: string) =>
  (text: string): string =>
    text.replace("http://127.0.0.1:11434/v1/chat/completions", url);

async function serverOf(t: TestContext, modelUrl: string): Promise<Server> {
  return (await readServer(t, PAGE, "channel.drained", withModel(modelUrl))).server;
}

describe("the guide to language models", () => {
  for (const accept of ["text/plain", "text/event-stream"]) {
    it(`stops the model when the client of ${accept} leaves`, async (t) => {
      const { url, answers } = await model(t);
      const server = await serverOf(t, url);
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
    const server = await serverOf(t, url);
    const [leaving, staying] = [open(t, server), open(t, server)];
    await until(() => leaving.texts.length + staying.texts.length === 2, "both have a token");
    const closed = new Promise((done) => answers.map((answer) => answer.on("close", done)));
    leaving.socket.close();
    await closed;
    for (const answer of answers) answer.end(token("the end"));
    await until(() => staying.isClosed(), "the other one has all");
    assert.equal(staying.texts.join(""), "token the end");
  });

  it("gives an answer to a page, the rest of it to the page when it is loaded again, and stops the model at its cancel button", {
    skip: chromium.skip,
  }, async (t) => {
    const { url, answers } = await model(t, token("Hello"));
    const { server } = await readSite(t, PAGE, withModel(url));
    const open = await tabsOf(t, server);
    const shows = (page: Page, text: string): Promise<void> =>
      waitFor(page, `document.querySelector("p").textContent === ${JSON.stringify(text)}`);
    const ask = async (page: Page, prompt: string): Promise<void> => {
      await page.evaluate(`document.querySelector("input").value = ${JSON.stringify(prompt)}`);
      await page.evaluate('document.querySelector("form").requestSubmit()');
    };
    const first = await open();
    await ask(first, "hi");
    await shows(first, "Hello (open)");
    await first.close();
    answers[0]!.write(token(" you"));
    const again = await open();
    await shows(again, "Hello you (open)");
    const stopped = new Promise((done) => answers[0]!.on("close", done));
    await again.evaluate('document.querySelector("#cancel").click()');
    await stopped;
    await shows(again, "Hello you (stopped)");
    await ask(again, "second");
    await until(() => answers.length === 2, "the model is asked");
    const replaced = new Promise((done) => answers[1]!.on("close", done));
    await ask(again, "third");
    await replaced;
    await until(() => answers.length === 3, "the model is asked again");
    answers[2]!.end(token(" again"));
    await shows(again, "Hello again (done)");
  });

  it("says that an answer is lost when the server was started again", { skip: chromium.skip }, async (t) => {
    const { url } = await model(t, token("Hello"));
    const { server, restart } = await readSite(t, PAGE, withModel(url));
    const page = await (await tabsOf(t, server))();
    await page.evaluate('document.querySelector("form").requestSubmit()');
    await waitFor(page, 'document.querySelector("p").textContent === "Hello (open)"');
    await restart();
    await waitFor(page, 'document.querySelector("p").textContent === "Hello (lost)"');
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
