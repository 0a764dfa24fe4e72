import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { until } from "../support/wait.ts";
import { Socket, textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/websocket-echo.js", () => {
  it("returns text and binary messages, and reports the close code", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "websocket-echo", async ({ url, stdout }) => {
      assert.equal(await textOf(url), "Here is a WebSocket echo.\n");
      const client = await Socket.open(t, url);
      client.send("text: “é”");
      assert.deepEqual(await client.next(), "text: “é”");
      client.send(Buffer.from([0, 255, 128]));
      assert.deepEqual(await client.next(), Buffer.from([0, 255, 128]));
      client.socket.close(4000, "enough");
      const [code] = await once(client.socket, "close");
      assert.equal(code, 4000);
      await until(() => stdout().includes("closed by client: 4000 enough\n"), "the close handler prints its line");
    }),
  );
});
