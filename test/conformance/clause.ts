// A clause of an RFC is one call here: what the RFC says, and the proof on a live server. `conformance/README.md` lists
// them all; `conformance/table.js` reads them out of these sources, so the section and the sentence are literals.

import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { type ChannelOptions, type ServeOptions, withChannel } from "../../src/index.ts";
import { type Site, serving } from "../support/serving.ts";
import { WsClient } from "../support/ws-client.ts";

type Proof = (t: TestContext) => Promise<void>;

/** An absolute requirement: RFC 2119 §1. */
export function must(section: string, sentence: string, proof: Proof): void {
  it(`RFC ${section} MUST: ${sentence}`, proof);
}

/** A recommendation that this server follows: RFC 2119 §3. */
export function should(section: string, sentence: string, proof: Proof): void {
  it(`RFC ${section} SHOULD: ${sentence}`, proof);
}

/** An option of the client that the server must tolerate, or an option that this server takes: RFC 2119 §5. */
export function may(section: string, sentence: string, proof: Proof): void {
  it(`RFC ${section} MAY: ${sentence}`, proof);
}

export interface EchoOptions {
  readonly channel?: ChannelOptions;
  readonly server?: ServeOptions;
}

/** A server that sends back each message. */
export function echo(t: TestContext, { channel = {}, server = {} }: EchoOptions = {}): Promise<Site> {
  return serving(
    t,
    (request) => withChannel(request, (c) => c.onMessage((message) => void c.send(message)), channel),
    server,
  );
}

export async function open(
  t: TestContext,
  options: EchoOptions = {},
  fields: readonly string[] = [],
): Promise<WsClient> {
  const site = await echo(t, options);
  return WsClient.open(t, site.target, { fields });
}

/** §7.1.7 _Fail the WebSocket Connection_: a close frame with `code`, the end of TCP, and nothing else. */
export async function failed(client: WsClient, code: number): Promise<void> {
  assert.equal((await client.closed()).code, code);
  await client.ended();
}

/** Sends each of the byte strings on its own connection, which must fail with `code`. */
export async function eachFails(
  t: TestContext,
  all: readonly Uint8Array[],
  code: number,
  options: EchoOptions = {},
): Promise<void> {
  const site = await echo(t, options);
  for (const bytes of all) {
    const client = await WsClient.open(t, site.target);
    client.raw.write(bytes);
    await failed(client, code);
  }
}

/** Asserts that the WebSocket still echoes. */
export async function isAlive(client: WsClient): Promise<void> {
  client.send("still here");
  assert.equal(await client.message(), "still here");
}
