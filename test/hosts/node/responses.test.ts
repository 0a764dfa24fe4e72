// Responses through node:http: fields that middleware has set, middleware that replaces `write`, half-closed clients, and clients
// that do not read.

import assert from "node:assert/strict";
import type { OutgoingMessage, ServerResponse } from "node:http";
import { describe, it } from "node:test";
import { createGzip, type Gzip, gunzipSync } from "node:zlib";
import { type Channel, openSession, withChannel } from "../../../src/index.ts";
import { attaching } from "../../support/attached.ts";
import { request } from "../../support/serving.ts";
import { deferred, until } from "../../support/wait.ts";

const EVENTS = "GET /\r\nAccept: text/event-stream";

describe("fields that middleware has set", () => {
  it("are on the response, and none of them twice", async (t) => {
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        res.setHeader("X-Powered-By", "x");
        res.setHeader("Vary", "Accept-Encoding");
        res.setHeader("Set-Cookie", ["a=1", "b=2"]);
        res.setHeader("Content-Type", "application/json");
        res.setHeader("Content-Length", 999);
        res.setHeader("Access-Control-Allow-Origin", "https://page.example");
        withChannel(attached.request(req, res), (channel) => void channel.send("hello"), {
          headers: { "Set-Cookie": "c=3", "x-powered-by": "y" },
        });
      },
      { allowedOrigins: ["https://page.example"] },
    );
    const { headers, text } = await site.request("GET / HTTP/1.1\r\nOrigin: https://page.example");
    assert.equal(text, "hello");
    assert.deepEqual(headers.get("x-powered-by"), ["y"]);
    assert.deepEqual(headers.get("set-cookie"), ["a=1", "b=2", "c=3"]);
    assert.deepEqual(headers.get("access-control-allow-origin"), ["https://page.example"]);
    assert.deepEqual(headers.get("content-length"), ["5"]);
    assert.equal(headers.get("content-type")?.length, 1);
    assert.match(headers.get("vary")!.join(), /Accept-Encoding.*Origin/);
    assert.equal(headers.get("vary")?.length, 1);
  });

  it("win over the CORS fields of the options: the application has said who may read", async (t) => {
    const site = await attaching(
      t,
      (attached) => {
        const own = attached.listener(() => "hello");
        return (req, res) => {
          res.setHeader("Access-Control-Allow-Origin", "*");
          own(req, res);
        };
      },
      { allowedOrigins: ["https://page.example"] },
    );
    const { headers } = await site.request("GET / HTTP/1.1\r\nOrigin: https://page.example");
    assert.deepEqual(headers.get("access-control-allow-origin"), ["*"]);
    assert.equal(headers.has("access-control-allow-credentials"), false);
  });

  it("are read by middleware that has replaced writeHead, and those of the channel, too", async (t) => {
    const seen: unknown[] = [];
    const site = await attaching(t, (attached) => {
      const own = attached.listener(() => ({ headers: { "X-Own": ["1", "2"] }, body: "hello" }));
      return (req, res) => {
        const { writeHead } = res;
        // Like the package on-headers 1.0, which takes a flat list for a list of pairs.
        res.writeHead = function (this: ServerResponse, status: number, ...rest: unknown[]) {
          assert.deepEqual(rest, []);
          seen.push(this.getHeader("content-type"), this.getHeader("x-own"));
          this.setHeader("X-Late", "yes");
          return writeHead.call(this, status);
        } as typeof res.writeHead;
        own(req, res);
      };
    });
    const { headers } = await site.request("GET /");
    assert.deepEqual(seen, ["text/plain; charset=utf-8", ["1", "2"]]);
    assert.deepEqual([headers.get("x-own"), headers.get("x-late")], [["1", "2"], ["yes"]]);
  });
});

describe("middleware that compresses", () => {
  /** As the package compression does it: `write` and `end` go to a gzip stream, whose output goes to the old ones. */
  function compress(res: ServerResponse): Gzip {
    const { write, end, on } = res as OutgoingMessage;
    const gzip = createGzip();
    res.setHeader("Content-Encoding", "gzip");
    gzip.on("data", (part) => void (write.call(res, part, "utf8") || gzip.pause()));
    gzip.on("end", () => void end.call(res, undefined, "utf8"));
    on.call(res, "drain", () => void gzip.resume());
    Object.assign(res, {
      write: (part: string | Uint8Array, encoding?: BufferEncoding) =>
        gzip.write(Buffer.from(part as string, encoding)),
      end: (part?: string) => gzip.end(part),
      flush: () => gzip.flush(),
      on: (name: string, listener: () => void) =>
        name === "drain" ? gzip.on(name, listener) : on.call(res, name, listener),
    });
    return gzip;
  }

  it("gets what a channel sends, at once, and its end", async (t) => {
    const channels: Channel[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      compress(res);
      withChannel(attached.request(req, res), (channel) => void channels.push(channel));
    });
    const client = await site.connect();
    client.write(request(EVENTS));
    const { headers } = await client.head();
    assert.deepEqual(headers.get("content-encoding"), ["gzip"]);
    channels[0]!.send("é first");
    const parts = [await client.chunk()];
    await until(() => channels[0]!.bufferedAmount === 0, "it is written");
    channels[0]!.send("second");
    channels[0]!.close();
    for (let part = await client.chunk(); part !== undefined; part = await client.chunk()) parts.push(part);
    assert.match(gunzipSync(Buffer.concat(parts as Buffer[])).toString(), /data: é first\n\n.*data: second\n\n$/s);
  });

  it("gets one listener of its back-pressure, however often a channel waits for its client", async (t) => {
    const gzips: Gzip[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      gzips.push(compress(res));
      withChannel(attached.request(req, res), async (channel) => {
        for (let i = 0; i < 20; i++) {
          channel.send("x".repeat(100_000), false);
          await channel.drained();
        }
        channel.close();
      });
    });
    const { body } = await site.request("GET /");
    assert.equal(gunzipSync(body).length, 2_000_000);
    // Its own "drain" listeners come from nobody else.
    assert.equal(gzips[0]!.listenerCount("drain"), 1);
  });
});

describe("a client that has ended its side", () => {
  it("has left, unless the server allows half-open connections", async (t) => {
    const gate = deferred();
    const aborted: boolean[] = [];
    const site = await attaching(t, (attached) =>
      attached.listener(async (asked) => {
        asked.signal.addEventListener("abort", () => void aborted.push(true));
        await gate.promise;
        return "late";
      }),
    );
    const client = await site.connect();
    client.write(request("GET /")).end();
    await until(() => aborted.length === 1, "the signal aborts");
    gate.resolve();
    await client.ended();
  });

  it("gets its answer where the server allows it", async (t) => {
    const gate = deferred();
    let isOpen = false;
    const site = await attaching(t, (attached) => (req, res) => {
      withChannel(attached.request(req, res), async (channel) => {
        isOpen = true;
        await gate.promise;
        channel.send("late");
      });
    });
    (site.http as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    const client = await site.connect();
    client.write(request("GET /")).end();
    await until(() => isOpen, "the channel is open");
    await new Promise((resolve) => setTimeout(resolve, 20));
    gate.resolve();
    // Interim responses ask whether it is still there.
    let head = await client.head();
    while (head.status === 102) head = await client.head();
    assert.equal(head.status, 200);
    assert.equal((await client.take(4)).toString(), "late");
  });

  it("has left for a stream that has begun, also where the server allows it", async (t) => {
    const closed: number[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      withChannel(attached.request(req, res), (channel) => channel.onClose(({ code }) => void closed.push(code)));
    });
    (site.http as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    const client = await site.connect();
    client.write(request(EVENTS));
    await client.head();
    client.end();
    await until(() => closed.length === 1, "its close handler runs");
    assert.deepEqual(closed, [1001]);
  });
});

describe("a client that does not read", () => {
  it("is lost after writeTimeoutMs, and counts in bufferedAmount until then", async (t) => {
    const channels: Channel[] = [];
    const closed: unknown[] = [];
    const site = await attaching(
      t,
      (attached) => (req, res) => {
        withChannel(attached.request(req, res), (channel) => {
          channels.push(channel);
          channel.onClose((status) => void closed.push(status.by));
        });
      },
      { writeTimeoutMs: 1, maxBufferedBytes: Number.POSITIVE_INFINITY },
    );
    const client = await site.connect();
    client.pause();
    client.write(request(EVENTS));
    await until(() => channels.length === 1, "it is open");
    for (let i = 0; i < 20; i++) channels[0]!.send("x".repeat(1 << 20));
    await until(() => channels[0]!.bufferedAmount > 1 << 20, "much is unsent");
    await until(() => closed.length === 1, "it is lost");
    assert.deepEqual(closed, ["network"]);
  });

  it("is lost after writeTimeoutMs of a whole response as well", async (t) => {
    const site = await attaching(t, (attached) => attached.listener(() => new Uint8Array(20 << 20)), {
      writeTimeoutMs: 1,
    });
    const client = await site.connect();
    client.pause();
    client.write(request("GET /"));
    await until(() => site.attached.stats().connections === 1, "it is answered");
    await until(() => site.attached.stats().connections === 0, "its connection is dropped");
    client.resume();
    await client.until(() => client.isEnded, "it is closed");
  });
});

describe("bodies", () => {
  it("are 413 over maxBodyBytes where the handler reads them, by their length and by their bytes", async (t) => {
    const site = await attaching(
      t,
      (attached) => attached.listener(async (asked) => String((await asked.bytes()).length)),
      { maxBodyBytes: 1000 },
    );
    const whole = async (text: string, body: string): Promise<[number, string]> => {
      const client = await site.connect();
      client.write(request(text, body));
      const response = await client.response();
      return [response.status, response.text];
    };
    assert.deepEqual(await whole("POST / HTTP/1.1\r\nContent-Length: 1000", "x".repeat(1000)), [200, "1000"]);
    assert.equal((await whole("POST / HTTP/1.1\r\nContent-Length: 1001", "x".repeat(1001)))[0], 413);
    const chunked = (n: number): string => `${n.toString(16)}\r\n${"x".repeat(n)}\r\n0\r\n\r\n`;
    const fields = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked";
    assert.deepEqual(await whole(fields, chunked(1000)), [200, "1000"]);
    assert.equal((await whole(fields, chunked(1001)))[0], 413);
  });

  it("of sessions may be longer, as on our own engine", async (t) => {
    const site = await attaching(
      t,
      (attached) => (req, res) => void openSession(attached.request(req, res), {}, { maxMessageBytes: 1000 }),
      { maxBodyBytes: 10 },
    );
    const response = await site.request("POST /?session=AAAAAAAAAAAAAAAAAAAAAA&from=1 HTTP/1.1\r\nContent-Length: 0");
    assert.equal(response.status, 410);
  });

  it("are 408 after requestTimeoutMs", async (t) => {
    const site = await attaching(t, (attached) => attached.listener((asked) => asked.text()), { requestTimeoutMs: 1 });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 10", "part"));
    assert.equal((await client.response()).status, 408);
  });
});
