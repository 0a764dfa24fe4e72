// A conversation with both its ends in hand: the server's channel and a client that is nothing but a socket.
// The contract's rows speak to clients through the few verbs here, whatever carries the channel.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type Channel,
  type ChannelHandlers,
  type ChannelOptions,
  type CloseStatus,
  type Message,
  type MessageCodec,
  openChannel,
  type SendData,
  type ServeOptions,
  type TransportKind,
} from "../../src/index.ts";
import { Http2Client } from "../support/http2-client.ts";
import type { RawClient } from "../support/raw-client.ts";
import { request, type Serving, type Site } from "../support/serving.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

/** Capabilities: the differences between transports, by name. */
export interface Capabilities {
  readonly kind: TransportKind;
  /** The default of `closeAfterSend`. */
  readonly closesAfterSend: boolean;
  /** More than one send. */
  readonly sendsMany: boolean;
  /** The client sends messages too. */
  readonly clientSends: boolean;
  /** Bytes that are not text arrive as they are. */
  readonly binary: boolean;
  /** The client is told the code and the reason of a close. */
  readonly closeCodes: boolean;
  /** A message in parts leaves part by part. */
  readonly fragments: boolean;
  /** The server sends pings, and tells of those that come. */
  readonly pings: boolean;
  /** A silent conversation gets bytes that keep it alive and are no message. */
  readonly heartbeats: boolean;
  /** The server stops reading while its receiver is slow. */
  readonly holdsBack: boolean;
  /** The server can drop a connection whose client does not follow. */
  readonly drops: boolean;
  /** The client can tell a whole end from a cut. */
  readonly marksEnd: boolean;
  /** The buffers between the ends are small enough for a test to fill; TLS is TCP with more work for each byte. */
  readonly fillsSoon: boolean;
  /** How a client that leaves with its goodbye is seen, and one that is just gone. */
  readonly leaving: Pick<CloseStatus, "by" | "code" | "name">;
  readonly losing: Pick<CloseStatus, "by" | "code" | "name">;
}

/** The capabilities that a row may need. CONTRIBUTING.md explains each of them. */
export type Need = Exclude<keyof Capabilities, "kind" | "closesAfterSend" | "leaving" | "losing">;

export interface Rest {
  readonly text: string;
  /** "whole": ended as the protocol has it; "cut": the connection broke off. */
  readonly ending: "whole" | "cut";
  readonly code: number | undefined;
  readonly reason: string | undefined;
}

export interface Client {
  readonly raw: RawClient;
  /** The next `length` characters of content, whatever messages they came in. */
  read(length: number): Promise<string>;
  /** All content up to the end of the conversation. Answers a close frame. */
  rest(): Promise<Rest>;
  send(message: string | Uint8Array): void;
  /** Leaves as the protocol has it. */
  leave(): void;
}

export interface OpenOptions<In = Message, Out = SendData> extends ChannelOptions<In, Out> {
  readonly server?: ServeOptions;
}

export interface Conversation<In = Message, Out = SendData> {
  readonly channel: Channel<In, Out>;
  readonly client: Client;
  readonly site: Site;
  /** Sends, and keeps the channel open where it can be. */
  send(data: Out): boolean;
}

export type Open = <In = Message, Out = SendData>(
  t: TestContext,
  handlers: ChannelHandlers<In, Out>,
  options?: OpenOptions<In, Out>,
) => Promise<Conversation<In, Out>>;

export function openWebSocket(carrier: Serving): Open {
  return (t, handlers, options = {}) =>
    converse(
      t,
      carrier,
      handlers,
      options,
      undefined,
      async (site) => new WsContent(await WsClient.open(t, site.target)),
    );
}

export function openHttp(carrier: Serving, version: "1.0" | "1.1", closesAfterSend: boolean): Open {
  return (t, handlers, options = {}) =>
    converse(t, carrier, handlers, options, closesAfterSend ? undefined : false, async (site) => {
      const raw = await site.connect();
      raw.write(request(`GET / HTTP/${version}`));
      return new HttpContent(raw);
    });
}

export function openEventStream(carrier: Serving): Open {
  return (t, handlers, options = {}) =>
    converse(t, carrier, handlers, options, undefined, async (site) => {
      const raw = await site.connect();
      raw.write(request("GET / HTTP/1.1\r\nAccept: text/event-stream"));
      return new HttpContent(raw);
    });
}

/** The three over HTTP/2: each conversation has a connection of its own. */
export function openHttp2WebSocket(carrier: Serving): Open {
  return (t, handlers, options = {}) =>
    converse(t, carrier, handlers, options, undefined, async (site) => {
      const connection = await Http2Client.connect(t, site.target);
      return new WsContent(await connection.webSocket());
    });
}

export function openHttp2(carrier: Serving, closesAfterSend: boolean): Open {
  return (t, handlers, options = {}) =>
    converse(t, carrier, handlers, options, closesAfterSend ? undefined : false, async (site) => {
      const connection = await Http2Client.connect(t, site.target);
      return new HttpContent(connection.open());
    });
}

export function openHttp2EventStream(carrier: Serving): Open {
  return (t, handlers, options = {}) =>
    converse(t, carrier, handlers, options, undefined, async (site) => {
      const connection = await Http2Client.connect(t, site.target);
      return new HttpContent(connection.open({ accept: "text/event-stream" }));
    });
}

async function converse<In, Out>(
  t: TestContext,
  carrier: Serving,
  handlers: ChannelHandlers<In, Out>,
  { server, ...options }: OpenOptions<In, Out>,
  closeAfterSend: boolean | undefined,
  connect: (site: Site) => Promise<Client>,
): Promise<Conversation<In, Out>> {
  let opened: Channel<In, Out> | undefined;
  const site = await carrier(
    t,
    (asked) => {
      // With or without a codec, the types of which are the row's business.
      opened = openChannel(asked, handlers, options as OpenOptions<In, Out> & { codec: MessageCodec<In, Out> });
      return opened;
    },
    server,
  );
  const client = await connect(site);
  await until(() => opened !== undefined, "the channel is there");
  const channel = opened!;
  return { channel, client, site, send: (data) => channel.send(data, closeAfterSend) };
}

class HttpContent implements Client {
  readonly raw: RawClient;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #wrapped = "";
  #content = "";
  #hasHead = false;
  /** Takes the content out of the body; undefined: the body is the content. */
  #unwrap: Unwrap | undefined;

  constructor(raw: RawClient) {
    this.raw = raw;
  }

  async read(length: number): Promise<string> {
    while (this.#content.length < length) {
      if (!(await this.#more())) assert.fail(`more than ${JSON.stringify(this.#content)}`);
    }
    return this.#take(length);
  }

  async rest(): Promise<Rest> {
    let ending: Rest["ending"] = "whole";
    try {
      while (await this.#more());
    } catch (error) {
      if (!this.raw.isEnded) throw error;
      ending = "cut";
    }
    if (ending === "whole") assert.equal(this.#wrapped, "", "a whole end leaves no piece of a message");
    return { text: this.#take(this.#content.length), ending, code: undefined, reason: undefined };
  }

  send(): void {
    throw new Error("an HTTP client sends no messages");
  }

  leave(): void {
    this.raw.end();
  }

  async #more(): Promise<boolean> {
    if (!this.#hasHead) {
      const { headers } = await this.raw.head();
      this.#unwrap = UNWRAP.get(headers.get("content-type")?.[0] ?? "");
      this.#hasHead = true;
    }
    const chunk = await this.raw.chunk();
    if (chunk === undefined) return false;
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#wrapped += text;
    // A large unit comes in many chunks: it is unwrapped once, with its end.
    if (this.#unwrap !== undefined && !text.includes("\n")) return true;
    const [content, left] = this.#unwrap?.(this.#wrapped) ?? [this.#wrapped, ""];
    this.#content += content;
    this.#wrapped = left;
    return true;
  }

  #take(length: number): string {
    const taken = this.#content.slice(0, length);
    this.#content = this.#content.slice(length);
    return taken;
  }
}

class WsContent implements Client {
  readonly raw: RawClient;
  readonly ws: WsClient;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true });
  #content = "";

  constructor(ws: WsClient) {
    this.raw = ws.raw;
    this.ws = ws;
  }

  async read(length: number): Promise<string> {
    // By fragment: a message in parts may have no end yet.
    while (this.#content.length < length) {
      const { opcode, payload } = await this.ws.frame();
      assert.notEqual(opcode, 8, "a close frame where content is due");
      if (opcode < 8) this.#content += this.#decoder.decode(payload, { stream: true });
    }
    const taken = this.#content.slice(0, length);
    this.#content = this.#content.slice(length);
    return taken;
  }

  async rest(): Promise<Rest> {
    let payload = Buffer.alloc(0);
    let ending: Rest["ending"] = "whole";
    let close: { code: number; reason: string } | undefined;
    while (close === undefined && ending === "whole") {
      await this.raw.until(() => this.raw.isEnded || this.raw.peek().length > 0, "a frame or the end");
      if (this.raw.peek().length === 0) ending = "cut";
      else {
        const { opcode, payload: bytes } = await this.ws.frame();
        if (opcode < 8) payload = Buffer.concat([payload, bytes]);
        if (opcode === 8)
          close = { code: bytes.length === 0 ? 1005 : bytes.readUInt16BE(), reason: bytes.toString("utf8", 2) };
      }
    }
    if (close !== undefined) {
      this.ws.close(close.code === 1005 ? undefined : close.code);
      await this.ws.ended();
    }
    return { text: this.#content + payload.toString(), ending, code: close?.code, reason: close?.reason };
  }

  send(message: string | Uint8Array): void {
    this.ws.send(message);
  }

  leave(): void {
    this.ws.close(1000, "done");
  }
}

type Unwrap = (text: string) => [content: string, left: string];

/** The formats that wrap messages, by the type of their responses. What wraps them is decoded here without a decoder of ours. */
const UNWRAP: ReadonlyMap<string, Unwrap> = new Map([["text/event-stream", dataOfEvents]]);

/** The data of the whole events in `text` and what is left of it (WHATWG HTML §9.2.6). */
function dataOfEvents(text: string): [content: string, left: string] {
  const end = text.lastIndexOf("\n\n");
  if (end === -1) return ["", text];
  const events = text.slice(0, end).split("\n\n");
  const data = events.map((lines) =>
    lines
      .split("\n")
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(5).replace(/^ /, ""))
      .join("\n"),
  );
  return [data.join(""), text.slice(end + 2)];
}
