// The client's half of a session in single steps (PROTOCOL.md): one carrier, one POST, one record at a time, so that a
// test can lose, repeat and overlap what no real client would.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import {
  type AckRecord,
  type CloseRecord,
  decodeRecordEvent,
  decodeRecordMessage,
  encodeRecordEvent,
  encodeRecordMessage,
  type OpenRecord,
  type SessionRecord,
} from "../../src/codec/session-record.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import { RawClient, type RawHead, type RawResponse, type Target } from "./raw-client.ts";
import { WsClient } from "./ws-client.ts";

export interface Endpoint extends Target {
  readonly pathname: string;
}

export type Query = Readonly<Record<string, string | number>>;

/** The kinds of carriers. */
export const CARRIERS = ["websocket", "sse", "poll"] as const;
export type CarrierKind = (typeof CARRIERS)[number];

export interface Answer {
  readonly response: RawResponse;
  readonly status: number;
  readonly records: readonly SessionRecord[];
}

export const text = (data: string): SessionRecord => ({ type: "message", data });
export const ack = (received: number): AckRecord => ({ type: "ack", received });
export const close = (code = 1000, reason = ""): CloseRecord => ({ type: "close", code, reason });

/** `{ session, after }` of an open record: how to come back. */
export const back = ({ session }: OpenRecord, after: number): Query => ({ session, after });

function targetOf({ pathname }: Endpoint, query: Query): string {
  const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return text.length === 0 ? pathname : `${pathname}?${text.join("&")}`;
}

/** Anything that is asked for over HTTP, and its whole answer. */
export async function ask(
  t: TestContext,
  endpoint: Endpoint,
  {
    method = "GET",
    query = {},
    fields = [],
    body,
  }: {
    readonly method?: string;
    readonly query?: Query;
    readonly fields?: readonly string[];
    readonly body?: string;
  },
): Promise<Answer> {
  const client = await RawClient.connect(t, endpoint);
  const bytes = Buffer.from(body ?? "");
  const length = body === undefined ? [] : [`Content-Length: ${bytes.length}`];
  client.write(
    [`${method} ${targetOf(endpoint, query)} HTTP/1.1`, "Host: x", ...fields, ...length, "", ""].join("\r\n"),
  );
  client.write(bytes);
  const response = await client.response(method);
  client.destroy();
  const isStream = response.headers.get("content-type")?.[0] === "text/event-stream";
  return { response, status: response.status, records: isStream ? decodeEvents(response.body) : [] };
}

export function poll(t: TestContext, endpoint: Endpoint, query: Query = {}): Promise<Answer> {
  return ask(t, endpoint, { query: { mode: "poll", ...query } });
}

export function post(
  t: TestContext,
  endpoint: Endpoint,
  session: string,
  from: number,
  ...records: readonly SessionRecord[]
): Promise<Answer> {
  return ask(t, endpoint, { method: "POST", query: { session, from }, body: records.map(encodeRecordEvent).join("") });
}

export function decodeEvents(bytes: Uint8Array): SessionRecord[] {
  const decoder = new EventDecoder();
  decoder.push(bytes);
  const records: SessionRecord[] = [];
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) records.push(decodeRecordEvent(event));
  return records;
}

/** An answer that must begin with `open`. */
export function opened({ status, records }: Answer): OpenRecord {
  assert.equal(status, 200);
  const [open] = records;
  assert.equal(open?.type, "open");
  return open as OpenRecord;
}

/** An event stream. */
export class StreamClient {
  readonly raw: RawClient;
  readonly head: RawHead;
  readonly #decoder = new EventDecoder();

  private constructor(raw: RawClient, head: RawHead) {
    this.raw = raw;
    this.head = head;
  }

  static async open(t: TestContext, endpoint: Endpoint, query: Query = {}): Promise<StreamClient> {
    const raw = await RawClient.connect(t, endpoint);
    raw.write(`GET ${targetOf(endpoint, query)} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n`);
    const head = await raw.head();
    assert.equal(head.status, 200);
    return new StreamClient(raw, head);
  }

  /** The next record; undefined at the stream's end. */
  async record(): Promise<SessionRecord | undefined> {
    for (;;) {
      const event = this.#decoder.next();
      if (event !== undefined) return decodeRecordEvent(event);
      const chunk = await this.raw.chunk();
      if (chunk === undefined) return undefined;
      this.#decoder.push(chunk);
    }
  }

  async opened(): Promise<OpenRecord> {
    return asOpen(await this.record());
  }

  drop(): void {
    this.raw.destroy();
  }
}

/** A WebSocket. */
export class SocketClient {
  readonly ws: WsClient;

  private constructor(ws: WsClient) {
    this.ws = ws;
  }

  static async open(t: TestContext, endpoint: Endpoint, query: Query = {}): Promise<SocketClient> {
    const fields = ["Sec-WebSocket-Protocol: unichannel.v1"];
    return new SocketClient(await WsClient.open(t, endpoint, { path: targetOf(endpoint, query), fields }));
  }

  /** The next record that is no heartbeat. */
  async record(): Promise<SessionRecord> {
    for (;;) {
      const message = await this.ws.message();
      const record = decodeRecordMessage(typeof message === "string" ? message : Uint8Array.from(message));
      if (record.type !== "heartbeat") return record;
    }
  }

  async opened(): Promise<OpenRecord> {
    return asOpen(await this.record());
  }

  /** The code and the reason of the close frame, before which acknowledgements and heartbeats may come. */
  closed(): Promise<{ code: number; reason: string }> {
    return this.ws.closed((text) => ["ack", "heartbeat"].includes(decodeRecordMessage(text).type));
  }

  send(...records: readonly SessionRecord[]): void {
    for (const record of records) this.ws.send(encodeRecordMessage(record));
  }

  drop(): void {
    this.ws.raw.destroy();
  }
}

function asOpen(record: SessionRecord | undefined): OpenRecord {
  assert.equal(record?.type, "open", JSON.stringify(record));
  return record as OpenRecord;
}
