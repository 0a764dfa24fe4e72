// The public surface is pinned: what is exported is promised.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import * as unichannel from "../src/index.ts";

describe("the public surface", () => {
  it("is exactly these values", () => {
    assert.deepEqual(Object.keys(unichannel).sort(), [
      "ChannelError",
      "MemoryChannelStore",
      "createChannelStore",
      "event",
      "json",
      "openChannel",
      "runServer",
      "serve",
      "withChannel",
    ]);
  });

  it("is exactly these types", () => {
    const entry = readFileSync("src/index.ts", "utf8");
    const names = [...entry.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, all, list]) =>
      list!
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "" && (all !== undefined || name.startsWith("type ")))
        .map((name) => name.replace(/^type /, "")),
    );
    assert.deepEqual(names.sort(), [
      "AllowedOrigins",
      "BodyPart",
      "Broadcast",
      "Channel",
      "ChannelHandlers",
      "ChannelOptions",
      "ChannelRequest",
      "ChannelStore",
      "ChannelStoreOptions",
      "CloseName",
      "CloseStatus",
      "CompressOptions",
      "ErrorCode",
      "ErrorContext",
      "ErrorReporter",
      "ErrorSource",
      "EventMeta",
      "FetchHandler",
      "Handler",
      "HandlerResult",
      "HeadersInput",
      "Logger",
      "Message",
      "OverflowPolicy",
      "ProxyHeader",
      "RequestHeaders",
      "SendBody",
      "SendData",
      "SendInit",
      "ServeOptions",
      "Server",
      "ServerLimits",
      "ServerStats",
      "ServerStatus",
      "TransportKind",
      "TrustedProxies",
      "UpgradeAccepted",
      "UpgradeCheck",
      "UpgradeResult",
    ]);
  });

  it("has entries in package.json that exist after the build", () => {
    const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
    for (const target of Object.values(exports)) {
      const files = typeof target === "string" ? [target] : Object.values(target as Record<string, string>);
      for (const file of files) readFileSync(file);
    }
  });
});
