// Clients for the examples: a GET whose chunks have times, an event stream read as text, and a WebSocket.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingHttpHeaders } from "node:http";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import { until } from "../support/wait.ts";

/** A text, and when it arrived, by `performance.now()`. */
export interface Chunk {
  readonly text: string;
  readonly at: number;
}

export interface Download {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly chunks: readonly Chunk[];
  /** When the head and the end arrived, by `performance.now()`. */
  readonly headAt: number;
  readonly endAt: number;
}

/** Gets a URL on a connection of its own and records when each chunk arrives. */
export function download(url: string): Promise<Download> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, (response) => {
      const headAt = performance.now();
      const chunks: Chunk[] = [];
      response.setEncoding("utf8");
      response.on("data", (text: string) => chunks.push({ text, at: performance.now() }));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status, headers } = response;
        resolve({ status, headers, chunks, headAt, endAt: performance.now() });
      });
    }).on("error", reject);
  });
}

export function textsOf({ chunks }: Download): string[] {
  return chunks.map(({ text }) => text);
}

/** Gets a URL, reads the first chunks, and drops the connection. */
export function leaveAfter(url: string, count: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false }, (response) => {
      const texts: string[] = [];
      response.setEncoding("utf8");
      response.on("error", () => {});
      response.on("data", (text: string) => {
        if (texts.push(text) !== count) return;
        request.destroy();
        resolve(texts);
      });
    }).on("error", reject);
  });
}

/** The first events of an event stream, as they are on the wire. */
export async function events(url: string, headers: Record<string, string>, count: number): Promise<string[]> {
  const abort = new AbortController();
  const response = await fetch(url, { headers: { ...headers, Accept: "text/event-stream" }, signal: abort.signal });
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.split("\n\n").length > count) break;
  }
  abort.abort();
  return text.split("\n\n").slice(0, count);
}

export async function textOf(url: string, init?: RequestInit): Promise<string> {
  return (await fetch(url, init)).text();
}

/** A WebSocket that keeps its messages from the start: one may arrive before the test waits for it. */
export class Socket {
  readonly socket: WebSocket;
  readonly #messages: (string | Buffer)[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data: Buffer, isBinary) => this.#messages.push(isBinary ? data : String(data)));
  }

  static async open(t: TestContext, url: string): Promise<Socket> {
    const opened = new Socket(new WebSocket(url.replace("http", "ws")));
    t.after(() => opened.socket.terminate());
    await once(opened.socket, "open");
    return opened;
  }

  get received(): number {
    return this.#messages.length;
  }

  send(data: string | Buffer): void {
    this.socket.send(data);
  }

  async next(): Promise<string | Buffer> {
    await until(() => this.#messages.length > 0, "the WebSocket receives a message");
    return this.#messages.shift()!;
  }
}
