// unichannel/metrics on a real server with a real prom-client: what is scraped after known traffic.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { Gauge, register as globalRegister, Registry } from "prom-client";
import { type Channel, type Server, withChannel } from "../src/index.ts";
import { collectMetrics } from "../src/metrics.ts";
import { FRESH } from "./support/fresh-stats.ts";
import { request, type Site, serving } from "./support/serving.ts";
import { until } from "./support/wait.ts";
import { WsClient } from "./support/ws-client.ts";

/** Samples by what stands before their value. */
async function scrape(register: Pick<Registry, "metrics">): Promise<Record<string, number>> {
  const lines = (await register.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

/** Some traffic of each kind; one WebSocket stays open. */
async function traffic(t: Parameters<typeof serving>[0]): Promise<{ site: Site; client: WsClient }> {
  const site = await serving(t, (r) => {
    if (r.path === "/boom") throw new Error("boom");
    if (r.path === "/hello") return "hello";
    return withChannel(r, (channel) => {
      channel.onMessage((message) => channel.send(message));
      if (!channel.isWebSocket) channel.send("one", true);
    });
  });
  const connection = await site.connect();
  for (const path of ["/hello", "/hello", "/missing", "/boom"]) {
    connection.write(request(`GET ${path}`));
    await connection.response();
  }
  connection.destroy();
  await site.request("GET / HTTP/1.1\r\nAccept: text/event-stream");
  await site.request("GET / HTTP/1.1\r\nHost: a\r\nHost: b");
  site.takeReports();
  const leaving = await WsClient.open(t, site.target);
  leaving.close(1001);
  await leaving.closed();
  leaving.raw.destroy();
  const client = await WsClient.open(t, site.target);
  for (const message of ["a", "b"]) {
    client.send(message);
    assert.equal(await client.message(), message);
  }
  await until(() => site.server.stats().connections === 1, "only the last is open");
  return { site, client };
}

describe("collectMetrics", () => {
  it("shows all counts in the format of prom-client", async (t) => {
    const { site, client } = await traffic(t);
    const register = new Registry();
    collectMetrics(site.server, { register });
    const { bytesReceived, bytesSent } = site.server.stats();
    assert.ok(bytesReceived > 500 && bytesSent > 500);
    assert.equal(
      await register.metrics(),
      `# HELP unichannel_connections Open connections
# TYPE unichannel_connections gauge
unichannel_connections 1

# HELP unichannel_connections_total Connections opened
# TYPE unichannel_connections_total counter
unichannel_connections_total 5

# HELP unichannel_connections_refused_total Connections sent away
# TYPE unichannel_connections_refused_total counter
unichannel_connections_refused_total 0

# HELP unichannel_requests_total Requests that were served
# TYPE unichannel_requests_total counter
unichannel_requests_total 7

# HELP unichannel_responses_total Responses that have ended, by class of status
# TYPE unichannel_responses_total counter
unichannel_responses_total{status="1xx"} 2
unichannel_responses_total{status="2xx"} 4
unichannel_responses_total{status="3xx"} 0
unichannel_responses_total{status="4xx"} 1
unichannel_responses_total{status="5xx"} 1

# HELP unichannel_channels Open channels
# TYPE unichannel_channels gauge
unichannel_channels{transport="websocket"} 1
unichannel_channels{transport="sse"} 0
unichannel_channels{transport="stream"} 0
unichannel_channels{transport="poll"} 0

# HELP unichannel_channels_closed_total Channels that have ended
# TYPE unichannel_channels_closed_total counter
unichannel_channels_closed_total{transport="websocket",name="going-away"} 1
unichannel_channels_closed_total{transport="sse",name="server-close"} 1
unichannel_channels_closed_total{transport="stream",name="server-close"} 1

# HELP unichannel_messages_received_total Messages from clients
# TYPE unichannel_messages_received_total counter
unichannel_messages_received_total 2

# HELP unichannel_messages_sent_total Sends that channels took
# TYPE unichannel_messages_sent_total counter
unichannel_messages_sent_total 4

# HELP unichannel_received_bytes_total Bytes that came in on connections
# TYPE unichannel_received_bytes_total counter
unichannel_received_bytes_total ${bytesReceived}

# HELP unichannel_sent_bytes_total Bytes that went out on connections
# TYPE unichannel_sent_bytes_total counter
unichannel_sent_bytes_total ${bytesSent}

# HELP unichannel_buffered_bytes Bytes sent that clients have not taken
# TYPE unichannel_buffered_bytes gauge
unichannel_buffered_bytes 0

# HELP unichannel_overflows_total Sends that found their channel full
# TYPE unichannel_overflows_total counter
unichannel_overflows_total{policy="close"} 0
unichannel_overflows_total{policy="drop"} 0

# HELP unichannel_rate_exceeded_total Messages over a rate
# TYPE unichannel_rate_exceeded_total counter
unichannel_rate_exceeded_total{policy="close"} 0
unichannel_rate_exceeded_total{policy="drop"} 0
unichannel_rate_exceeded_total{policy="wait"} 0

# HELP unichannel_expired_total Channels closed because their client's identity ended
# TYPE unichannel_expired_total counter
unichannel_expired_total 0

# HELP unichannel_sessions Open sessions
# TYPE unichannel_sessions gauge
unichannel_sessions 0

# HELP unichannel_relays Requests on their way through another process
# TYPE unichannel_relays gauge
unichannel_relays 0

# HELP unichannel_relayed_total Requests passed on to another process
# TYPE unichannel_relayed_total counter
unichannel_relayed_total 0

# HELP unichannel_sessions_stored_total Sessions put into the store
# TYPE unichannel_sessions_stored_total counter
unichannel_sessions_stored_total 0

# HELP unichannel_sessions_not_stored_total Sessions that ended at a stop
# TYPE unichannel_sessions_not_stored_total counter
unichannel_sessions_not_stored_total 0

# HELP unichannel_sessions_taken_total Sessions taken from the store
# TYPE unichannel_sessions_taken_total counter
unichannel_sessions_taken_total 0

# HELP unichannel_sessions_lost_total Sessions that clients asked for in vain
# TYPE unichannel_sessions_lost_total counter
unichannel_sessions_lost_total 0

# HELP unichannel_errors_total Errors that were reported
# TYPE unichannel_errors_total counter
unichannel_errors_total{source="handler",code="OTHER"} 1
`,
    );
    client.raw.destroy();
  });

  it("reads at the scrape: counters are set to what they are, not added to", async (t) => {
    const channels: Channel[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => void channels.push(channel), { onOverflow: "drop", maxBufferedBytes: 1 }),
    );
    const register = new Registry();
    collectMetrics(site.server, { register });
    const client = await WsClient.open(t, site.target);
    for (let i = 0; i < 3; i++) {
      const samples = await scrape(register);
      assert.equal(samples["unichannel_connections_total"], 1);
      assert.equal(samples['unichannel_responses_total{status="1xx"}'], 1);
    }
    channels[0]!.send("fills it");
    channels[0]!.send("finds it full");
    const samples = await scrape(register);
    assert.equal(samples['unichannel_overflows_total{policy="drop"}'], 1);
    assert.equal(samples["unichannel_buffered_bytes"], 10);
    // Resetting the registry, as an application's tests may do, loses no count.
    register.resetMetrics();
    assert.equal((await scrape(register))["unichannel_connections_total"], 1);
    client.raw.destroy();
  });

  it("looks at a server once for each scrape", async () => {
    let looks = 0;
    const register = new Registry();
    const site = {
      stats() {
        looks += 1;
        return FRESH;
      },
    };
    collectMetrics(site, { register });
    assert.equal(looks, 0);
    await register.metrics();
    assert.equal(looks, 1);
    await register.getMetricsAsJSON();
    assert.equal(looks, 2);
  });

  it("is valid OpenMetrics in a registry of that type", async (t) => {
    const { site, client } = await traffic(t);
    const register = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
    register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    collectMetrics(site.server, { register });
    const text = await register.metrics();
    assert.match(text, /^# TYPE unichannel_requests counter\nunichannel_requests_total 7$/m);
    assert.match(text, /^# TYPE unichannel_connections gauge\nunichannel_connections 1$/m);
    assert.match(text, /\n# EOF\n$/);
    // OpenMetrics §4: a counter's samples end in _total, its family does not.
    for (const [, family] of text.matchAll(/^# TYPE (\S+) counter$/gm)) assert.doesNotMatch(family!, /_total$/);
    client.raw.destroy();
  });

  it("takes another prefix and labels", async (t) => {
    const site = await serving(t, () => "hello");
    const register = new Registry();
    collectMetrics(site.server, { register, prefix: "app_", labels: { listener: "public" } });
    const samples = await scrape(register);
    assert.equal(samples['app_connections{listener="public"}'], 0);
    assert.equal(samples['app_channels{transport="sse",listener="public"}'], 0);
    assert.ok(Object.keys(samples).every((name) => name.startsWith("app_")));
  });

  it("keeps several servers of one registry apart by their labels, and sums those without", async (t) => {
    const servers: Server[] = [];
    for (let i = 1; i <= 3; i++) {
      const site = await serving(t, () => "hello");
      for (let j = 0; j < i; j++) await site.request("GET /");
      servers.push(site.server);
    }
    const [register, plain] = [new Registry(), new Registry()];
    const names = ["a", "b", "b"];
    for (const [i, server] of servers.entries()) {
      collectMetrics(server, { register, labels: { listener: names[i]! } });
      collectMetrics(server, { register: plain });
    }
    const samples = await scrape(register);
    assert.equal(samples['unichannel_requests_total{listener="a"}'], 1);
    assert.equal(samples['unichannel_requests_total{listener="b"}'], 5);
    assert.equal((await scrape(plain))["unichannel_requests_total"], 6);
  });

  it("refuses labels whose names are not those of the other servers", () => {
    const register = new Registry();
    const site = { stats: () => FRESH };
    collectMetrics(site, { register, labels: { listener: "a" } });
    assert.throws(() => collectMetrics(site, { register, labels: { port: "1" } }), { code: "BAD_OPTION" });
    assert.throws(() => collectMetrics(site, { register }), { code: "BAD_OPTION" });
    collectMetrics(site, { register, prefix: "other_" });
  });

  it("gives a function that takes the server out, and may be called again", async (t) => {
    const register = new Registry();
    const site = await serving(t, () => "hello");
    await site.request("GET /");
    const keep = collectMetrics({ stats: () => FRESH }, { register, labels: { listener: "kept" } });
    const remove = collectMetrics(site.server, { register, labels: { listener: "gone" } });
    remove();
    remove();
    const samples = await scrape(register);
    assert.equal(samples['unichannel_requests_total{listener="kept"}'], 0);
    assert.equal(samples['unichannel_requests_total{listener="gone"}'], undefined);
    keep();
    collectMetrics(site.server, { register, labels: { listener: "again" } });
    assert.equal((await scrape(register))['unichannel_requests_total{listener="again"}'], 1);
  });

  it("comes back to a registry that was cleared", async (t) => {
    const register = new Registry();
    const site = await serving(t, () => "hello");
    collectMetrics(site.server, { register });
    register.clear();
    assert.deepEqual(await scrape(register), {});
    collectMetrics(site.server, { register });
    assert.equal((await scrape(register))["unichannel_connections"], 0);
  });

  it("does not take over a name that is somebody else's", () => {
    const register = new Registry();
    new Gauge({ name: "unichannel_connections", help: "mine", registers: [register] });
    assert.throws(() => collectMetrics({ stats: () => FRESH }, { register }), /already been registered/);
  });

  it("goes to prom-client's global registry by default", async (t) => {
    t.after(() => globalRegister.clear());
    collectMetrics({ stats: () => FRESH });
    assert.equal((await scrape(globalRegister))["unichannel_connections"], 0);
  });
});

describe("docs/reference/metrics.md", () => {
  it("has a row for every metric with its type and labels, and no other", async () => {
    const register = new Registry();
    collectMetrics({ stats: () => FRESH }, { register });
    const text = readFileSync("docs/reference/metrics.md", "utf8");
    const rows = [...text.matchAll(/^\| `(unichannel_\w+)` \| (\w+) \| ([^|]*)\|/gm)].map(([, name, type, labels]) => [
      name,
      type,
      [...labels!.matchAll(/`(\w+)`/g)].map(([, label]) => label),
    ]);
    const metrics = register.getMetricsAsArray() as unknown as { name: string; type: string; labelNames: string[] }[];
    assert.deepEqual(
      rows,
      metrics.map(({ name, type, labelNames }) => [name, type, labelNames]),
    );
  });
});
