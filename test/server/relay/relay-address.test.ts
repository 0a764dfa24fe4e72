import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tcpAddress, toConnectOptions, unixAddress } from "../../../src/server/relay/relay-address.ts";

describe("the address of a process", () => {
  for (const [host, port, address] of [
    ["10.0.0.5", 4100, "tcp:10.0.0.5:4100"],
    ["::1", 80, "tcp:[::1]:80"],
    ["node-3.internal", 1, "tcp:node-3.internal:1"],
  ] as const) {
    it(`on TCP is ${address}, and is read back`, () => {
      assert.equal(tcpAddress(host, port), address);
      assert.deepEqual(toConnectOptions(address), { host, port });
    });
  }

  it("at a Unix socket is read back on the same machine", () => {
    for (const path of ["/tmp/unichannel-a/relay.sock", "/tmp/with: colon/s"]) {
      assert.deepEqual(toConnectOptions(unixAddress(path)), { path });
    }
  });

  it("at a Unix socket of another machine, or in no form that is known, is elsewhere", () => {
    const here = unixAddress("/tmp/s");
    for (const address of [
      here.replace(/^unix:./, "unix:_-"),
      "unix:/tmp/s",
      "quic:1.2.3.4:5",
      "",
      "tcp:",
      "tcp:1.2.3.4",
    ]) {
      assert.equal(toConnectOptions(address), "elsewhere", address);
    }
  });
});
