// The table of docs/reference/hosts.md, with a column for our engine and for each host with an engine of its own: its cells are
// compared with the capabilities that the contract declares, and with what a server of that host really does.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import { runtime } from "../../src/base/runtime.ts";
import { openChannel } from "../../src/index.ts";
import { servingInFetchHost } from "../support/fetch-hosted.ts";
import { request, type Serving, serving } from "../support/serving.ts";
import { noUws, servingInUws } from "../support/uws-hosted.ts";
import { deferred, settled, turn, until } from "../support/wait.ts";
import { textFrame, upgradeRequest, WsClient } from "../support/ws-client.ts";
import { HOSTS } from "./hosts.ts";
import type { WebSocketLacks } from "./transports.ts";

const ENGINE = "our engine";

/** Row → column → cell. */
function readTable(): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const lines = readFileSync("docs/reference/hosts.md", "utf8").split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| difference | ${ENGINE} |`));
  const cells = (line: string): string[] => line.slice(2, -2).split(" | ");
  const columns = cells(lines[start]!);
  const table = new Map<string, ReadonlyMap<string, string>>();
  for (let i = start + 2; lines[i]!.startsWith("|"); i++) {
    const row = cells(lines[i]!);
    table.set(row[0]!, new Map(columns.map((column, at) => [column, row[at]!])));
  }
  return table;
}

const TABLE = readTable();

/** Looks at a server from outside, and returns the beginning of the cell that is right for it. */
type Observation = (t: TestContext, carrier: Serving) => Promise<string>;

const OBSERVATIONS: Readonly<Record<string, Observation>> = {
  "HTTP/1.0": async (t, carrier) => {
    const site = await carrier(t, () => "hello");
    const client = await site.connect();
    client.write(request("GET / HTTP/1.0"));
    await client.until(() => client.isEnded, "an answer, or the end");
    return client.peek().length > 0 && (await client.head()).status === 200 ? "yes" : "refused by the host";
  },
  "`Content-Length` of a stream of known length": async (t, carrier) => {
    const site = await carrier(t, () => ({ headers: { "Content-Length": "5" }, body: streamOf("hello") }));
    const { headers } = await site.request("GET /");
    return headers.has("content-length") ? "sent" : "left out: chunked";
  },
  "a silent event stream": async (t, carrier) => {
    const site = await carrier(t, (own) => openChannel(own, {}));
    const client = await site.connect();
    client.write(request("GET /\r\nAccept: text/event-stream"));
    await client.head();
    await settled(() => client.peek().length);
    return client.peek().length === 0 ? "its head alone" : "begins with a comment";
  },
  "`request.url`, `path`": async (t, carrier) => {
    const site = await carrier(t, ({ url }) => url);
    return (await site.request("GET /a/../b?c")).text === "/a/../b?c" ? "as sent" : "normalised";
  },
  "`stats().bytesReceived`, `bytesSent`": async (t, carrier) => {
    const site = await carrier(t, () => "hello");
    await site.request("GET /");
    const { bytesReceived, bytesSent } = site.server.stats();
    return bytesReceived > 0 && bytesSent > 0 ? "counted" : String(bytesReceived + bytesSent);
  },
  "a client that ends its side": async (t, carrier) => {
    const gate = deferred();
    let asked = 0;
    const site = await carrier(t, async () => {
      asked += 1;
      await gate.promise;
      return "answer";
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => asked > 0, "the handler runs");
    client.end();
    await settled(() => client.isEnded, 50);
    gate.resolve();
    await client.until(() => client.isEnded || client.peek().length > 0, "an answer, or the end");
    return client.peek().length > 0 && (await client.response()).text === "answer" ? "may still read" : "has left";
  },
  "data of a client before its 101, where the handler is async": async (t, carrier) => {
    const gate = deferred();
    const got: unknown[] = [];
    const site = await carrier(t, async (own) => {
      await gate.promise;
      return openChannel(own, { message: (message) => void got.push(message) });
    });
    const client = await site.connect();
    client.write(Buffer.concat([Buffer.from(upgradeRequest(), "latin1"), textFrame("early")]));
    await settled(() => site.server.stats().requests, 50);
    gate.resolve();
    const { status } = await client.head();
    if (status !== 101) return "the request is refused";
    await settled(() => got.length, 100);
    return got.length === 1 ? "waits" : "lost";
  },
  "`compress` of a channel, WebSockets": async (t, carrier) => {
    const site = await carrier(t, (own) => openChannel(own, {}, { compress: true }));
    const { head } = await WsClient.open(t, site.target, { fields: ["Sec-WebSocket-Extensions: permessage-deflate"] });
    return head.headers.has("sec-websocket-extensions") ? "yes" : "no";
  },
  "`compress` of a channel, HTTP": async (t, carrier) => {
    const site = await carrier(t, (own) => {
      const channel = openChannel(own, {}, { compress: { thresholdBytes: 0 } });
      channel.send("x".repeat(2000));
      return channel;
    });
    const { headers } = await site.request("GET /\r\nAccept-Encoding: gzip");
    return headers.get("content-encoding")?.[0] === "gzip" ? "yes" : "no";
  },
};

/** In two parts, with a turn between them: Bun sends a stream that has ended already as a whole. */
async function* streamOf(text: string): AsyncGenerator<string> {
  yield text.slice(0, 1);
  await turn();
  yield text.slice(1);
}

describe("The table of hosts", () => {
  it("has a row for each capability that a host lacks, and says of each host whether it has it", () => {
    const lacks: Readonly<Record<string, WebSocketLacks>> = { [ENGINE]: {}, ...HOSTS };
    const names = new Set(Object.values(lacks).flatMap((of) => Object.keys(of)));
    const rows = new Set([...TABLE.keys()].flatMap((row) => /^`(\w+)`:/.exec(row)?.[1] ?? []));
    assert.deepEqual([...rows].sort(), [...names].sort());
    for (const [row, cells] of TABLE) {
      const name = /^`(\w+)`:/.exec(row)?.[1] as keyof WebSocketLacks | undefined;
      if (name === undefined) continue;
      for (const [host, of] of Object.entries(lacks)) {
        assert.match(cells.get(host)!, of[name] === false ? /^(no\b|joined)/ : /^yes/, `${row}, ${host}`);
      }
    }
  });

  it("says that a host has maxControlFramesPerSecond where it tells of pings", () => {
    for (const [host, { pings }] of Object.entries<WebSocketLacks>(HOSTS)) {
      assert.match(TABLE.get("`maxControlFramesPerSecond`")?.get(host) ?? "", pings === false ? /^no\b/ : /^yes/, host);
    }
  });

  it("has a column for each host, and a reason in each row", () => {
    for (const [row, cells] of TABLE) {
      assert.deepEqual([...cells.keys()], ["difference", ENGINE, ...Object.keys(HOSTS), "why"], row);
      const own = [ENGINE, ...Object.keys(HOSTS)].map((host) => cells.get(host));
      if (new Set(own).size > 1) assert.notEqual(cells.get("why"), "", row);
    }
  });
});

const CARRIERS: readonly [host: string, carrier: Serving, skip: string | false][] = [
  [ENGINE, serving, false],
  ["Bun.serve", servingInFetchHost, runtime !== "bun" && "runs on Bun: npm run test:runtimes"],
  ["Deno.serve", servingInFetchHost, runtime !== "deno" && "runs on Deno: npm run test:runtimes"],
  ["uWebSockets.js", servingInUws, noUws],
];

for (const [host, carrier, skip] of CARRIERS) {
  describe(`The column of ${host} in the table of hosts`, { skip }, () => {
    for (const [row, observe] of Object.entries(OBSERVATIONS)) {
      it(`says what a server does: ${row.replaceAll("`", "")}`, async (t) => {
        const seen = await observe(t, carrier);
        assert.equal(TABLE.get(row)?.get(host)?.startsWith(seen), true, `${TABLE.get(row)?.get(host)}; seen: ${seen}`);
      });
    }
  });
}
