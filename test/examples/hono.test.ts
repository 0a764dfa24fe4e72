import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { until } from "../support/wait.ts";
import { download, Socket, textOf, textsOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

describe("examples/hono.js", () => {
  it("serves routes, middleware, a stream and a WebSocket of a Hono application", { timeout: TIMEOUT_MS }, (t) =>
    runExample(t, "hono", async ({ url, stdout }) => {
      assert.match(await textOf(url), /^Routes: /);
      assert.equal((await fetch(`${url}/nothing`)).status, 404);
      assert.equal((await fetch(`${url}/echo/ann`)).status, 426);
      let answer = await download(`${url}/count/3`);
      const isApart = (): boolean => answer.chunks.at(-1)!.at - answer.chunks[0]!.at > 300;
      // A busy machine may give this process several chunks at once, but not each time.
      for (let tries = 0; tries < 10 && !isApart(); tries++) answer = await download(`${url}/count/3`);
      assert.deepEqual(textsOf(answer), ["1\n", "2\n", "3\n"]);
      assert.ok(isApart(), "the chunks come one after the other");
      const client = await Socket.open(t, `${url}/echo/ann`);
      client.send("hi");
      assert.equal(await client.next(), "ann: hi");
      client.socket.close();
      await until(() => stdout().includes("GET /echo/ann\n"), "the middleware logs the request");
    }),
  );
});
