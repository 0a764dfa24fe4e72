// The public surface is pinned: what is exported is promised.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import * as client from "../src/client/index.ts";
import * as react from "../src/client/react.ts";
import * as tabs from "../src/client/tabs/index.ts";
import * as fetchHost from "../src/fetch-host.ts";
import * as hono from "../src/hono.ts";
import * as unichannel from "../src/index.ts";
import * as inspector from "../src/inspector.ts";
import * as languageModels from "../src/language-models.ts";
import * as mcp from "../src/mcp.ts";
import * as metrics from "../src/metrics.ts";
import * as nats from "../src/nats.ts";
import * as node from "../src/node.ts";
import * as processes from "../src/processes.ts";
import * as redis from "../src/redis.ts";
import * as testing from "../src/testing/index.ts";
import * as uws from "../src/uws.ts";
import * as backplaneSuite from "./contract/backplane.ts";
import * as codecSuite from "./contract/codec.ts";
import * as sessionStoreSuite from "./contract/session-store.ts";

/** The entries of package.json, whose values are listed below. */
const TESTED: ReadonlySet<object> = new Set([
  ...[unichannel, client, react, tabs, fetchHost, hono, inspector, languageModels, mcp, metrics, nats, node, redis],
  ...[processes, testing, uws, backplaneSuite, codecSuite, sessionStoreSuite],
]);

describe("the public surface", () => {
  it("is exactly these values", () => {
    assert.deepEqual(Object.keys(unichannel).sort(), [
      "ChannelError",
      "MemoryBackplane",
      "MemoryChannelStore",
      "RequestError",
      "createChannelStore",
      "defineContract",
      "event",
      "json",
      "jsonMessages",
      "memorySessions",
      "openChannel",
      "openSession",
      "pollGroup",
      "prepare",
      "runServer",
      "serve",
      "withChannel",
    ]);
  });

  it("unichannel/client exports exactly these values", () => {
    assert.deepEqual(Object.keys(client).sort(), [
      ...[
        "ChannelError",
        "RequestError",
        "ResumableWebSocket",
        "StreamView",
        "connect",
        "defineContract",
        "jsonMessages",
        "requests",
      ],
    ]);
  });

  it("unichannel/tabs exports exactly these values", () => {
    assert.deepEqual(Object.keys(tabs), ["tabs"]);
  });

  it("unichannel/react exports exactly these values", () => {
    assert.deepEqual(Object.keys(react), ["useChannel"]);
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
      "AllowedHosts",
      "AllowedOrigins",
      "AnyChannel",
      "AnyChannelStore",
      "AttachmentOf",
      "Backplane",
      "BackplaneEntry",
      "BackplaneHistory",
      "BackplaneKey",
      "BackplaneListener",
      "BackplaneMember",
      "BackplaneRecords",
      "BaseServer",
      "BodyPart",
      "Broadcast",
      "Channel",
      "ChannelHandlers",
      "ChannelOptions",
      "ChannelRequest",
      "ChannelStore",
      "ChannelStoreOptions",
      "ChooseProtocol",
      "Clock",
      "CloseName",
      "CloseStatus",
      "CompressOptions",
      "Contract",
      "ContractChannel",
      "ContractEnd",
      "ContractReceived",
      "ContractSent",
      "ContractSide",
      "CorsOptions",
      "DiagnosticsConnection",
      "DiagnosticsMessages",
      "DisconnectOptions",
      "ErrorCode",
      "ErrorContext",
      "ErrorReporter",
      "ErrorSource",
      "EventHandlers",
      "EventMessage",
      "EventMeta",
      "FetchHandler",
      "GroupHistory",
      "GroupMember",
      "HandledRequest",
      "Handler",
      "HandlerResult",
      "HeadersInput",
      "HistoryLimits",
      "HistoryMessage",
      "Http2Options",
      "JoinOptions",
      "JsonMessages",
      "KeyOf",
      "LatestKey",
      "LatestOptions",
      "Logger",
      "LostSession",
      "MadeWithRequests",
      "MakeSnapshot",
      "MemberFields",
      "MemorySessions",
      "MemorySessionsOptions",
      "Message",
      "MessageCodec",
      "MoveOptions",
      "NamedStores",
      "OverflowPolicy",
      "PartOf",
      "PartSource",
      "Parts",
      "PollOptions",
      "PreparedMessage",
      "PresenceHandlers",
      "PresentMember",
      "Procedure",
      "ProxyHeader",
      "PublishOptions",
      "PublishStreamOptions",
      "Publishable",
      "RateLimitName",
      "RatePolicy",
      "Received",
      "RelayOptions",
      "RequestHandlers",
      "RequestHeaders",
      "RequestOptions",
      "RequestSignal",
      "SendBody",
      "SendData",
      "SendInit",
      "SendOptions",
      "SendsMessages",
      "Sent",
      "ServeOptions",
      "Server",
      "ServerLimits",
      "ServerStats",
      "ServerStatus",
      "SessionHandlers",
      "SessionOptions",
      "SessionStats",
      "SessionStore",
      "Snapshot",
      "SnapshotContext",
      "StandardSchema",
      "StatusClass",
      "StoreHistoryLimits",
      "StreamBegin",
      "StreamBody",
      "StreamEnd",
      "StreamKeep",
      "StreamMessage",
      "StreamOutcome",
      "StreamParts",
      "StreamResult",
      "StreamText",
      "TakeOptions",
      "TakeResult",
      "TlsRenewal",
      "TransportKind",
      "TrustedProxies",
      "UpgradeAccepted",
      "UpgradeCheck",
      "UpgradeResult",
      "WithCodec",
    ]);
  });

  it("has in its other entries exactly these values", () => {
    assert.deepEqual(Object.keys(metrics), ["collectMetrics"]);
    assert.deepEqual(Object.keys(mcp), ["mcpEventStore"]);
    assert.deepEqual(Object.keys(languageModels), ["modelText"]);
    assert.deepEqual(Object.keys(redis), ["redisBackplane", "redisSessions"]);
    assert.deepEqual(Object.keys(nats), ["natsBackplane", "natsSessions"]);
    assert.deepEqual(Object.keys(processes).sort(), ["processBackplane", "processSessions", "runProcesses"]);
    assert.deepEqual(Object.keys(node), ["attach"]);
    assert.deepEqual(Object.keys(inspector), ["inspector"]);
    assert.deepEqual(Object.keys(hono).sort(), ["openChannel", "openSession", "pollGroup", "withChannel"]);
    assert.deepEqual(Object.keys(fetchHost), ["createFetchHost"]);
    assert.deepEqual(Object.keys(uws), ["attachUws"]);
    assert.deepEqual(Object.keys(testing).sort(), ["VirtualClock", "testServer"]);
    assert.deepEqual(Object.keys(backplaneSuite), ["backplaneContract"]);
    assert.deepEqual(Object.keys(sessionStoreSuite), ["sessionStoreContract"]);
    assert.deepEqual(Object.keys(codecSuite), ["codecContract"]);
  });

  it("has entries in package.json that exist after the build", () => {
    const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
    for (const target of Object.values(exports)) {
      const files = typeof target === "string" ? [target] : Object.values(target as Record<string, string>);
      for (const file of files) readFileSync(file);
    }
  });

  it("has no entry whose values are not in this test, and no value that the guides and the reference do not name", async () => {
    const { exports } = JSON.parse(readFileSync("package.json", "utf8")) as { exports: Record<string, unknown> };
    const pages = ["docs/reference", "docs/how-to"].flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.endsWith(".md"))
        .map((name) => readFileSync(`${folder}/${name}`, "utf8")),
    );
    const text = pages.join("\n");
    for (const [entry, target] of Object.entries(exports)) {
      if (typeof target === "string") continue;
      const file = (target as { readonly default: string }).default;
      const values: object = await import(pathToFileURL(resolve(file)).href);
      assert.ok(TESTED.has(values), `the entry ${entry} of package.json is in this test`);
      for (const name of Object.keys(values)) assert.match(text, new RegExp(`\\b${name}\\b`), `${name} of ${entry}`);
    }
  });
});
