import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ChannelError } from "../../src/base/errors.ts";
import { acceptValue, chooseProtocol, readHandshake, type UpgradeRequest } from "../../src/codec/ws-handshake.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** The request printed in RFC 6455 §1.2, with fields replaced (undefined: left out) or added. */
function upgrade(changes: Record<string, string | undefined> = {}, rest: Partial<UpgradeRequest> = {}): UpgradeRequest {
  const fields: Record<string, string | undefined> = {
    Host: "server.example.com",
    Upgrade: "websocket",
    Connection: "Upgrade",
    "Sec-WebSocket-Key": KEY,
    Origin: "http://example.com",
    "Sec-WebSocket-Version": "13",
    ...changes,
  };
  const flat: string[] = [];
  for (const [name, value] of Object.entries(fields)) if (value !== undefined) flat.push(name, value);
  return { kind: "upgrade", method: "GET", minor: 1, fields: flat, hasBody: false, ...rest };
}

function withMore(...more: string[]): UpgradeRequest {
  const request = upgrade();
  return { ...request, fields: [...request.fields, ...more] };
}

function refusal(request: UpgradeRequest): string {
  try {
    readHandshake(request);
  } catch (error) {
    assert.ok(error instanceof ChannelError);
    assert.equal(error.status, error.code === "BAD_HANDSHAKE" ? 400 : 426);
    return error.code === "BAD_HANDSHAKE" ? error.message : error.code;
  }
  return "accepted";
}

describe("readHandshake: RFC 6455 §4.2.1", () => {
  it("accepts the request printed in §1.2", () => {
    const request = upgrade({ "Sec-WebSocket-Protocol": "chat, superchat" });
    assert.deepEqual(readHandshake(request), { protocols: ["chat", "superchat"], extensions: "" });
  });

  it("takes names and tokens in any case, and lists with other elements", () => {
    const accepted: Record<string, string>[] = [
      { Upgrade: "WebSocket" },
      { Upgrade: "h2c, WEBSOCKET" },
      { Upgrade: ",websocket ,, other" },
      { Connection: "keep-alive, Upgrade" },
      { Connection: "keep-alive \t,\t uPGRADE" },
    ];
    for (const changes of accepted) assert.equal(refusal(upgrade(changes)), "accepted", JSON.stringify(changes));
    const lower = upgrade().fields.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
    assert.equal(refusal(upgrade({}, { fields: lower })), "accepted");
  });

  it("joins a Connection and an Upgrade that come in several lines", () => {
    const request = upgrade({ Connection: "keep-alive", Upgrade: "h2c" });
    const fields = [...request.fields, "connection", "upgrade", "upgrade", "websocket"];
    assert.equal(refusal({ ...request, fields }), "accepted");
  });

  const refused: [string, UpgradeRequest, string][] = [
    ["item 1: a method other than GET", upgrade({}, { method: "POST" }), "method"],
    ["item 1: GET in lower case", upgrade({}, { method: "get" }), "method"],
    ["item 1: HTTP/1.0", upgrade({}, { minor: 0 }), "HTTP/1.1"],
    ["a request body", upgrade({}, { hasBody: true }), "body"],
    ["item 3: no Upgrade", upgrade({ Upgrade: undefined }), "Upgrade"],
    ["item 3: an empty Upgrade", upgrade({ Upgrade: "" }), "Upgrade"],
    ["item 3: another protocol", upgrade({ Upgrade: "h2c" }), "Upgrade"],
    ["item 3: a longer token", upgrade({ Upgrade: "websocketx" }), "Upgrade"],
    ["item 3: a version after the token", upgrade({ Upgrade: "websocket/13" }), "Upgrade"],
    ["item 4: no Connection", upgrade({ Connection: undefined }), "Connection"],
    ["item 4: Connection without the token", upgrade({ Connection: "keep-alive" }), "Connection"],
    ["item 4: only a longer token", upgrade({ Connection: "upgraded, x-upgrade" }), "Connection"],
    ["item 5: no key", upgrade({ "Sec-WebSocket-Key": undefined }), "Key"],
    ["item 5: two keys, equal ones too (§11.3.1)", withMore("sec-websocket-key", KEY), "Key"],
    ["item 5: an empty key", upgrade({ "Sec-WebSocket-Key": "" }), "Key"],
    ["item 5: 15 bytes", upgrade({ "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA" }), "Key"],
    ["item 5: 17 bytes", upgrade({ "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAAA=" }), "Key"],
    ["item 5: no padding", upgrade({ "Sec-WebSocket-Key": KEY.slice(0, 22) }), "Key"],
    ["item 5: a key that is not canonical", upgrade({ "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZR==" }), "Key"],
    ["item 5: base64url", upgrade({ "Sec-WebSocket-Key": "-_hlIHNhbXBsZSBub25jZQ==" }), "Key"],
    ["item 5: a line end after the key", upgrade({ "Sec-WebSocket-Key": `${KEY}\n` }), "Key"],
    ["item 6: no version", upgrade({ "Sec-WebSocket-Version": undefined }), "Version"],
    ["item 6: two versions (§11.3.5)", withMore("Sec-WebSocket-Version", "13"), "Version"],
    ["item 6: a list of versions", upgrade({ "Sec-WebSocket-Version": "13, 8" }), "Version"],
    ["item 6: no number", upgrade({ "Sec-WebSocket-Version": "x" }), "Version"],
    ["item 6: a sign", upgrade({ "Sec-WebSocket-Version": "+13" }), "Version"],
    ["§4.1 item 10: an empty protocol", upgrade({ "Sec-WebSocket-Protocol": "" }), "Protocol"],
    ["§4.1 item 10: empty elements alone", upgrade({ "Sec-WebSocket-Protocol": " , ," }), "Protocol"],
    ["§4.1 item 10: not a token", upgrade({ "Sec-WebSocket-Protocol": "chat room" }), "Protocol"],
    ["§4.1 item 10: the same twice", upgrade({ "Sec-WebSocket-Protocol": "chat, chat" }), "Protocol"],
  ];
  for (const [name, request, detail] of refused) {
    it(`refuses ${name}`, () =>
      assert.match(refusal(request), new RegExp(`malformed WebSocket handshake: .*${detail}`)));
  }

  it("accepts each of the four last characters that a canonical key can have", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const accepted = [...alphabet].filter(
      (last) => refusal(upgrade({ "Sec-WebSocket-Key": `${"A".repeat(21)}${last}==` })) === "accepted",
    );
    assert.deepEqual(accepted, ["A", "Q", "g", "w"]);
  });

  it("asks for version 13 (§4.4) when the version is the only thing wrong", () => {
    for (const version of ["0", "7", "8", "14", "255"]) {
      assert.equal(refusal(upgrade({ "Sec-WebSocket-Version": version })), "UNSUPPORTED_WEBSOCKET_VERSION");
    }
    assert.match(refusal(upgrade({ "Sec-WebSocket-Version": "8", Upgrade: "h2c" })), /Upgrade/);
    assert.match(refusal(upgrade({ "Sec-WebSocket-Version": "8", "Sec-WebSocket-Key": "x" })), /Key/);
  });

  it("collects the protocols of several lines in order (§11.3.4)", () => {
    const request = withMore("Sec-WebSocket-Protocol", "b , a", "sec-websocket-protocol", "C");
    assert.deepEqual(readHandshake(request).protocols, ["b", "a", "C"]);
  });

  it("ignores empty elements of a list of protocols (RFC 9110 §5.6.1.2)", () => {
    assert.deepEqual(readHandshake(upgrade({ "Sec-WebSocket-Protocol": "chat,, x ," })).protocols, ["chat", "x"]);
    const lines = withMore("Sec-WebSocket-Protocol", "", "Sec-WebSocket-Protocol", "chat");
    assert.deepEqual(readHandshake(lines).protocols, ["chat"]);
  });

  it("treats protocol names that differ in case as different", () => {
    assert.deepEqual(readHandshake(upgrade({ "Sec-WebSocket-Protocol": "chat, Chat" })).protocols, ["chat", "Chat"]);
  });

  it("joins the extensions of several lines (§11.3.2)", () => {
    const request = withMore("Sec-WebSocket-Extensions", "foo", "Sec-WebSocket-Extensions", "bar; baz=2");
    assert.equal(readHandshake(request).extensions, "foo, bar; baz=2");
  });
});

describe("chooseProtocol: RFC 6455 §4.2.2 item 5", () => {
  it("takes the first preferred one that was offered", () => {
    assert.equal(chooseProtocol(["a", "b"], ["b", "a"]), "b");
    assert.equal(chooseProtocol(["a", "b"], ["c", "a"]), "a");
  });

  it("takes none when none fits, compared case-sensitively", () => {
    assert.equal(chooseProtocol(["a"], ["A"]), undefined);
    assert.equal(chooseProtocol([], ["a"]), undefined);
    assert.equal(chooseProtocol(["a"], []), undefined);
  });
});

describe("readHandshake: RFC 8441 §5, an extended CONNECT", () => {
  const connect: UpgradeRequest = {
    kind: "connect",
    method: "CONNECT",
    minor: 1,
    fields: ["sec-websocket-version", "13", "sec-websocket-protocol", "chat", "sec-websocket-extensions", "foo"],
    hasBody: false,
  };

  it("needs no Upgrade, no Connection and no key", () => {
    assert.deepEqual(readHandshake(connect), { protocols: ["chat"], extensions: "foo" });
  });

  it("needs the version 13 and a list of tokens, as the other does", () => {
    const version = (value: string): UpgradeRequest => ({ ...connect, fields: ["sec-websocket-version", value] });
    assert.equal(
      refusal({ ...connect, fields: [] }),
      "malformed WebSocket handshake: Sec-WebSocket-Version must appear once",
    );
    assert.equal(refusal(version("8")), "UNSUPPORTED_WEBSOCKET_VERSION");
    const protocols = { ...connect, fields: [...version("13").fields, "sec-websocket-protocol", "a b"] };
    assert.equal(refusal(protocols), "malformed WebSocket handshake: Sec-WebSocket-Protocol must be a list of tokens");
  });
});

describe("acceptValue: RFC 6455 §4.2.2 item 5.4", () => {
  it("is the value printed in §1.3", () => {
    const sha1 = (text: string): string => createHash("sha1").update(text, "latin1").digest("base64");
    assert.equal(acceptValue(KEY, sha1), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });
});
