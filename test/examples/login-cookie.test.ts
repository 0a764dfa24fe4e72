import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { type CarrierKind, connect } from "../../src/client/index.ts";
import { until } from "../support/wait.ts";
import { textOf } from "./clients.ts";
import { runExample, TIMEOUT_MS } from "./example.ts";

const CARRIERS: readonly CarrierKind[] = ["websocket", "sse", "poll"];

/** A browser's cookie, for requests that have none by themselves. */
class Jar {
  cookie = "";
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async post(path: string): Promise<number> {
    const answer = await fetch(this.#url + path, { method: "POST", headers: { Cookie: this.cookie } });
    const set = answer.headers.get("set-cookie");
    if (set !== null) this.cookie = set.split(";")[0]!;
    return answer.status;
  }
}

describe("examples/login-cookie.js", () => {
  it("renews the login of sessions, and ends them with a logout", { timeout: TIMEOUT_MS }, (t) =>
    runExample(
      t,
      "login-cookie",
      async ({ url }) => {
        assert.match(await textOf(url), /connect\("\/live", \{ params \}\)/);
        const jar = new Jar(url);
        assert.equal(await jar.post("/renew"), 401);
        assert.equal(await jar.post("/login"), 204);
        const startedWith = jar.cookie;
        const connections = CARRIERS.map((carrier) =>
          connect(`${url}/live`, {
            WebSocket,
            carriers: [carrier],
            async headers() {
              await jar.post("/renew");
              return { Cookie: jar.cookie };
            },
          }),
        );
        // A test that fails must not be kept alive by its clients.
        t.after(() => {
          for (const connection of connections) connection.close();
        });
        const received: string[] = [];
        for (const connection of connections) connection.onMessage((message) => received.push(String(message)));
        await until(() => received.length === 3, "all are open");
        const headers = { Cookie: startedWith };
        const renewal = (): Promise<Response> => fetch(`${url}/renew`, { method: "POST", headers });
        while ((await renewal()).status !== 401) await delay(500);
        // A session that was not renewed has ended with the first login.
        await delay(1000);
        for (const { state, transport } of connections) assert.equal(state, "open", transport);
        assert.equal(await jar.post("/logout"), 204);
        for (const { closed } of connections) {
          const { by, code } = await closed;
          assert.deepEqual([by, code], ["server", 4401]);
        }
        assert.deepEqual(received, ["hello ann", "hello ann", "hello ann"]);
      },
      // A renewal that waits longer than the rest of a life, on a busy machine, ends the session.
      { LIFE_S: "8" },
    ),
  );
});
