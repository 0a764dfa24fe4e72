// Sessions over HTTP/2: the client's HTTP carriers by a `fetch` that speaks it, and connections that are lost in between.

import assert from "node:assert/strict";
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from "node:http2";
import { Readable } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import { connect } from "../../src/client/index.ts";
import { openSession } from "../../src/index.ts";
import { certificate, noCertificate, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

/** A `fetch` over one connection of HTTP/2, and a way to lose that: the next request opens another. */
function fetchOverHttp2(t: TestContext, origin: string): { fetch: typeof fetch; lose: () => void } {
  let session: ClientHttp2Session | undefined;
  const current = (): ClientHttp2Session => {
    if (session === undefined || session.destroyed) {
      session = connectHttp2(origin, { rejectUnauthorized: false });
      session.on("error", () => {});
    }
    return session;
  };
  t.after(() => session?.destroy());
  const own = (input: unknown, init: RequestInit = {}): Promise<Response> =>
    new Promise((resolve, reject) => {
      const { pathname, search } = new URL(String(input));
      const fields = { ":method": init.method ?? "GET", ":path": pathname + search };
      const stream = current().request({ ...fields, ...Object.fromEntries(new Headers(init.headers)) });
      stream.on("error", reject);
      stream.on("close", () => reject(new TypeError("the stream is closed")));
      stream.on("response", (headers: IncomingHttpHeaders & { readonly ":status"?: number }) => {
        const { ":status": status = 0, ...others } = headers;
        const body = [204, 304].includes(status) ? null : (Readable.toWeb(stream) as ReadableStream<Uint8Array>);
        const named = Object.entries(others).map(([name, value]): [string, string] => [name, String(value)]);
        resolve(new Response(body, { status, headers: named }));
      });
      init.signal?.addEventListener("abort", () => stream.destroy());
      stream.end(init.body === undefined || init.body === null ? undefined : (init.body as string));
    });
  return { fetch: own as typeof fetch, lose: () => session?.destroy() };
}

describe("A session over HTTP/2", { skip: noCertificate }, () => {
  for (const carrier of ["sse", "poll"] as const) {
    it(`loses and repeats nothing on "${carrier}" when its connection is lost`, async (t) => {
      const site = await serving(
        t,
        (request) => openSession(request, { message: (message, channel) => void channel.send(`echo ${message}`) }),
        { tls: certificate(), http2: true },
      );
      const { fetch: own, lose } = fetchOverHttp2(t, site.server.url);
      const connection = connect(`${site.server.url}/chat`, {
        carriers: [carrier],
        fetch: own,
        backoff: { firstMs: 10, capMs: 50 },
      });
      t.after(() => connection.close());
      const seen: unknown[] = [];
      connection.onMessage((message) => seen.push(message));
      for (let i = 0; i < 30; i++) {
        connection.send(`${i}`);
        if (i % 10 === 5) {
          await until(() => seen.length > i - 5, "some have come back");
          lose();
        }
      }
      await until(() => seen.length >= 30, "all have come back");
      assert.deepEqual(
        seen,
        Array.from({ length: 30 }, (_, i) => `echo ${i}`),
      );
      assert.ok(site.server.stats().connectionsOpened >= 3, `${site.server.stats().connectionsOpened} connections`);
    });
  }
});
