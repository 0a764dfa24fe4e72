import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodeProxyHeader,
  ProxyProtocolDecoder,
  type ProxyProtocolHeader,
} from "../../../src/codec/proxy-protocol.ts";
import { encodeRelayHeader, type RelayedClient, readRelayExtensions } from "../../../src/server/relay/relay-header.ts";

const SECRET = "s".repeat(43);
const BAD = { code: "BAD_REQUEST" };

function decode(bytes: Uint8Array): { header: ProxyProtocolHeader | undefined; extensions: Uint8Array } {
  const decoder = new ProxyProtocolDecoder();
  decoder.push(bytes);
  return { header: decoder.next(), extensions: decoder.extensions };
}

function sent(client: RelayedClient, secret: string): ReturnType<typeof decode> {
  return decode(encodeRelayHeader(client, secret));
}

describe("the header of a relayed connection", () => {
  for (const isEncrypted of [true, false]) {
    it(`brings the client's address, and that it ${isEncrypted ? "uses" : "does not use"} TLS`, () => {
      const { header, extensions } = sent({ remoteAddress: "2001:db8::7", isEncrypted }, SECRET);
      assert.equal((header as { sourceAddress: string }).sourceAddress, "2001:db8::7");
      assert.deepEqual(readRelayExtensions(extensions, SECRET), { isEncrypted });
    });
  }

  it("has no address for a client on a Unix socket", () => {
    const { header, extensions } = sent({ remoteAddress: undefined, isEncrypted: false }, SECRET);
    assert.equal(header, "unknown");
    assert.deepEqual(readRelayExtensions(extensions, SECRET), { isEncrypted: false });
  });

  for (const [what, given] of [
    ["another one of this length", `${SECRET.slice(1)}t`],
    ["the beginning of it", SECRET.slice(1)],
    ["one that begins with it", `${SECRET}s`],
    ["an empty one", ""],
    ["characters of several bytes", "\u{1f600}".repeat(43)],
  ] as const) {
    it(`is refused with a wrong secret: ${what}`, () => {
      const { extensions } = sent({ remoteAddress: "192.0.2.1", isEncrypted: false }, given);
      assert.throws(() => readRelayExtensions(extensions, SECRET), BAD);
    });
  }

  it("is refused without a secret, as that of an ordinary proxy", () => {
    const { extensions } = decode(encodeProxyHeader({ sourceAddress: "192.0.2.1", extensions: [] }));
    assert.throws(() => readRelayExtensions(extensions, SECRET), BAD);
    assert.throws(() => readRelayExtensions(new Uint8Array([0xe0, 0]), SECRET), BAD);
  });
});
