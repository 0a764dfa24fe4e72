// A client's mistake that a handler does not catch has a status of its own (RFC 9110 §15.5) and is not reported. A mistake of
// the handler is a 500 that gives no reason, and is reported.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ChannelError, type Handler, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";

const NOT_JSON = request("POST / HTTP/1.1\r\nContent-Length: 5", '{"a":');
const TEXT = [["text/plain; charset=utf-8"], ["nosniff"]];

describe("a client's mistake that a handler does not catch", () => {
  const HANDLERS: readonly (readonly [where: string, handler: Handler])[] = [
    ["a handler", async (r) => JSON.stringify(await r.json())],
    ["a setup", (r) => withChannel(r, async (channel) => channel.send(JSON.stringify(await r.json())))],
    [
      "a handler that has opened its channel",
      async (r) => {
        const channel = withChannel(r, () => {});
        channel.send(JSON.stringify(await r.json()));
      },
    ],
  ];
  for (const [where, handler] of HANDLERS) {
    it(`is a 400 where a body is no JSON, read by ${where}; nothing is reported, and the connection goes on`, async (t) => {
      const site = await serving(t, handler);
      const client = await site.connect();
      for (let i = 0; i < 2; i++) {
        client.write(NOT_JSON);
        const { status, text, headers } = await client.response();
        assert.deepEqual([status, text], [400, "malformed HTTP request: the body is not JSON\n"]);
        assert.deepEqual([headers.get("content-type"), headers.get("x-content-type-options")], TEXT);
      }
    });
  }

  it("has the status that the body was refused with", async (t) => {
    const site = await serving(t, (r) => r.text(), { maxBodyBytes: 3 });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked", "4\r\nabcd\r\n0\r\n\r\n"));
    assert.equal((await client.response()).status, 413);
  });

  it("can be thrown by the handler itself", async (t) => {
    const site = await serving(t, () => {
      throw new ChannelError("BODY_TOO_LARGE", "one line, please", { cause: new Error("secret") });
    });
    const { status, text } = await site.request("GET /");
    assert.deepEqual([status, text], [413, "request body exceeds maxBodyBytes: one line, please\n"]);
  });

  it("is not reported where the client left and the handler threw its signal's reason", async (t) => {
    const started = deferred();
    const done = deferred();
    const site = await serving(t, async (r) => {
      started.resolve();
      await new Promise((resolve) => r.signal.addEventListener("abort", resolve));
      done.resolve();
      throw r.signal.reason;
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await started.promise;
    client.end();
    await done.promise;
    await until(() => site.server.stats().connections === 0, "nothing of it is left");
  });
});

describe("a mistake of the handler", () => {
  for (const [what, handler] of [
    [
      "before it opens a channel",
      () => {
        throw new Error("boom");
      },
    ],
    [
      "in the setup of its channel",
      (r) =>
        withChannel(r, () => {
          throw new Error("boom");
        }),
    ],
    ["in a ChannelError that is no client's fault", () => Promise.reject(new ChannelError("BAD_DATA", "boom"))],
  ] satisfies [string, Handler][]) {
    it(`is the same 500 ${what}`, async (t) => {
      const site = await serving(t, handler as Handler);
      const { status, text, headers } = await site.request("GET /");
      assert.deepEqual([status, text], [500, "Internal Server Error\n"]);
      assert.deepEqual([headers.get("content-type"), headers.get("x-content-type-options")], TEXT);
      assert.match(site.takeMessages().join(), /boom/);
    });
  }

  it("is answered with 500 where the channel's own headers cannot be sent, and setup does not run", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(
        r,
        () => {
          throw new Error("boom");
        },
        { headers: { "X-A": "a\r\nb" } },
      ),
    );
    assert.equal((await site.request("GET /")).status, 500);
    assert.equal((await site.request("GET /\r\nAccept: text/event-stream")).status, 500);
    const reports = site.takeReports();
    assert.deepEqual(
      reports.map(({ error, source }) => [(error as ChannelError).code, source]),
      [
        ["BAD_HEADER", "handler"],
        ["BAD_HEADER", "handler"],
      ],
    );
  });
});
