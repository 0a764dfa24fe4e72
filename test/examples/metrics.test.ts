import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../support/wait.ts";
import { Socket, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/metrics.js", () => {
  it("counts requests, channels and messages, and serves the counts on another port", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "metrics", async ({ url, stdout }) => {
      const admin = stdout().match(/http:\/\/\S+(?=\/metrics)/)?.[0];
      assert.equal(await textOf(url), "hello\n");
      const client = await Socket.open(t, url);
      client.send("one");
      assert.equal(await client.next(), "one");
      const answer = await fetch(`${admin}/metrics`);
      assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
      const text = await answer.text();
      assert.match(text, /^unichannel_requests_total 2$/m);
      assert.match(text, /^unichannel_channels\{transport="websocket"\} 1$/m);
      assert.match(text, /^unichannel_messages_received_total 1$/m);
      assert.match(text, /^unichannel_request_seconds_count\{status="200"\} 1$/m);
      assert.match(text, /^nodejs_eventloop_lag_seconds /m);
      assert.equal((await fetch(`${admin}/`)).status, 404);
      client.socket.terminate();
      await until(() => stdout().includes("websocket closed: abnormal\n"), "the log has the closed channel");
    }),
  );
});
