// @ts-check
// Prometheus metrics, on a separate port that is not public. The library's counters are read at each scrape; the histogram
// and the log of closed channels subscribe to node:diagnostics_channel.
import { subscribe } from "node:diagnostics_channel";
import { collectDefaultMetrics, Histogram, register } from "prom-client";
import { serve, withChannel } from "unichannel";
import { collectMetrics } from "unichannel/metrics";

const server = await serve(
  (request) => {
    if (!request.isWebSocket) return "hello\n";
    return withChannel(request, (channel) => channel.onMessage((message) => channel.send(message)));
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

const admin = await serve(
  async ({ path }) => {
    if (path !== "/metrics") return undefined;
    return { headers: { "Content-Type": register.contentType }, body: await register.metrics() };
  },
  { host: "127.0.0.1", port: process.env["PORT"] === undefined ? 9464 : 0 },
);

collectDefaultMetrics();
collectMetrics(server);

const seconds = new Histogram({
  name: "unichannel_request_seconds",
  help: "From a request to the end of its response",
  labelNames: ["status"],
});
subscribe("unichannel:request.end", (message) => {
  const { server: whose, status, durationMs } = /** @type {RequestEnd} */ (message);
  if (whose === server && status === 200) seconds.observe({ status }, durationMs / 1000);
});
subscribe("unichannel:channel.close", (message) => {
  const { channel, status } = /** @type {ChannelClose} */ (message);
  console.log(`${channel.transport} closed: ${status.name}`);
});

/** @typedef {import("unichannel").DiagnosticsMessages["unichannel:request.end"]} RequestEnd */
/** @typedef {import("unichannel").DiagnosticsMessages["unichannel:channel.close"]} ChannelClose */

console.log(`Ask: curl ${server.url} – then read: curl ${admin.url}/metrics`);

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => Promise.all([server.stop(), admin.stop()]).then(() => process.exit()));
}
