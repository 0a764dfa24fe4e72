// HTTP channels on the wire, parked and streaming: design §1.2, RFC 9112 §7.1, http-kit's test-streaming-body, and the
// seed's examples E1 and E2.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Channel,
  ChannelError,
  type CloseStatus,
  json,
  openChannel,
  type SendData,
  withChannel,
} from "../../src/index.ts";
import { lacks } from "../support/runtime.ts";
import { request, type Site, serving } from "../support/serving.ts";
import { deferred, turn, until } from "../support/wait.ts";

/** A site whose every request opens a channel with `setup`. */
function channels(t: Parameters<typeof serving>[0], setup: (channel: Channel) => unknown): Promise<Site> {
  return serving(t, (r) => withChannel(r, setup));
}

describe("drained", () => {
  for (const accept of ["text/event-stream", "*/*"]) {
    it(`writes at once what waits for the end of the turn, and resolves at that end (Accept: ${accept})`, {
      skip: lacks("writes that the system takes at once"),
    }, async (t) => {
      const order: string[] = [];
      const done = deferred<void>();
      const site = await channels(t, async (channel) => {
        for (const token of ["one ", "two ", "three "]) {
          setImmediate(() => order.push("the turn ends"));
          channel.send(token, { close: false });
          assert.ok(channel.bufferedAmount > 0);
          const drained = channel.drained();
          assert.equal(channel.bufferedAmount, 0);
          await drained;
          order.push(token);
        }
        channel.close();
        done.resolve();
      });
      const response = await site.request(`GET / HTTP/1.1\r\nAccept: ${accept}`);
      await done.promise;
      assert.deepEqual(
        order,
        ["one ", "two ", "three "].flatMap((token) => ["the turn ends", token]),
      );
      assert.match(response.text, /one .*two .*three /s);
    });
  }

  it("lets others be served by a loop that waits for a client which takes everything at once", async (t) => {
    let isServed = false;
    let sent = 0;
    const over = deferred<void>();
    const site = await serving(t, (r) => {
      if (r.path === "/other") {
        isServed = true;
        return "served";
      }
      return withChannel(r, async (channel) => {
        for (; !isServed && sent < 100_000; sent++) {
          channel.send("data", { close: false });
          await channel.drained();
        }
        channel.close();
        over.resolve();
      });
    });
    const stream = site.request("GET / HTTP/1.1\r\nAccept: text/event-stream");
    const other = site.request("GET /other HTTP/1.1");
    await over.promise;
    assert.ok(isServed, `after ${sent} messages`);
    assert.match((await other).text, /served/);
    await stream;
  });

  for (const [what, data, waits] of [
    ["waits with drained()", "next", true],
    ["sends more than the turn's output may be", "x".repeat(70_000), false],
  ] as const) {
    it(`never runs a drain handler inside itself, although it ${what}`, async (t) => {
      let isInside = false;
      let calls = 0;
      const site = await serving(t, (r) =>
        openChannel(r, {
          open: (channel) => void channel.send("first", { close: false }),
          drain: (channel) => {
            assert.equal(isInside, false);
            isInside = true;
            calls += 1;
            if (calls === 20) channel.close();
            else {
              channel.send(data, { close: false });
              if (waits) void channel.drained();
            }
            isInside = false;
          },
        }),
      );
      const { text } = await site.request("GET / HTTP/1.1\r\nAccept: text/event-stream");
      assert.deepEqual([calls, text.split(data).length - 1], [20, 19]);
    });
  }
});

describe("a parked poll", () => {
  it("is answered later, whole, and its connection goes on (seed E1)", async (t) => {
    const parked: Channel[] = [];
    const closed: CloseStatus[] = [];
    const site = await channels(t, (channel) => {
      parked.push(channel);
      channel.onClose((status) => closed.push(status));
    });
    const client = await site.connect();
    for (let i = 1; i <= 3; i++) {
      client.write(request("GET /poll"));
      await until(() => parked.length === i, "it is parked");
      assert.equal(client.peek().length, 0);
      const headers = { "Content-Type": "application/json; charset=utf-8" };
      assert.equal(parked[i - 1]!.send({ status: 200, headers, body: "hello, polling" }, true), true);
      const response = await client.response();
      assert.deepEqual([response.status, response.framing, response.text], [200, "length", "hello, polling"]);
      assert.deepEqual(response.headers.get("content-type"), [headers["Content-Type"]]);
      await until(() => closed.length === i, "the close handler has run");
    }
    assert.ok(closed.every(({ name }) => name === "server-close"));
    assert.equal(new Set(parked).size, 3);
  });

  it("is answered with just a body (test-async-just-body)", async (t) => {
    const site = await channels(t, (channel) => setImmediate(() => channel.send("just-body")));
    const response = await site.request("GET /");
    assert.deepEqual(
      [response.text, response.headers.get("content-type")],
      ["just-body", ["text/plain; charset=utf-8"]],
    );
  });

  it("is answered with json", async (t) => {
    const site = await channels(t, (channel) => channel.send(json([1, 2])));
    const response = await site.request("GET /");
    assert.deepEqual(
      [response.text, response.headers.get("content-type")],
      ["[1,2]", ["application/json; charset=utf-8"]],
    );
  });

  it("has an empty 204 when it is closed before anything was sent", async (t) => {
    const site = await channels(t, (channel) => channel.close());
    const client = await site.connect();
    for (let i = 0; i < 2; i++) {
      client.write(request("GET /"));
      const response = await client.response();
      assert.deepEqual([response.status, response.text, response.framing], [204, "", "none"]);
    }
  });

  it("gets the headers of its options, and those of its answer", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => channel.send({ headers: { "X-B": "2" }, body: "" }), { headers: { "X-A": "1" } }),
    );
    const { headers } = await site.request("GET /");
    assert.deepEqual([headers.get("x-a"), headers.get("x-b")], [["1"], ["2"]]);
  });

  it("throws BAD_STATUS and BAD_HEADER to the sender, and can be answered afterwards", async (t) => {
    const codes: unknown[] = [];
    const site = await channels(t, (channel) => {
      const bad: SendData[] = [
        { status: 100, body: "" },
        { status: 600, body: "" },
        { headers: { "X-A": "a\r\nb" }, body: "" },
        { headers: { "X A": "a" }, body: "" },
      ];
      for (const last of [true, false]) {
        for (const data of bad) {
          try {
            channel.send(data, last);
          } catch (error) {
            assert.ok(error instanceof ChannelError);
            codes.push(error.code);
          }
        }
      }
      assert.equal(channel.isOpen, true);
      channel.send("good");
    });
    assert.equal((await site.request("GET /")).text, "good");
    const expected = ["BAD_STATUS", "BAD_STATUS", "BAD_HEADER", "BAD_HEADER"];
    assert.deepEqual(codes, [...expected, ...expected]);
  });
});

describe("a streamed response", () => {
  it("has its head and first chunk at once, each send a chunk, and its end with the close (seed E2)", async (t) => {
    const gates = Array.from({ length: 11 }, () => deferred());
    const closed: CloseStatus[] = [];
    const sent: boolean[] = [];
    const site = await channels(t, (channel) => {
      channel.onClose((status) => closed.push(status));
      void (async () => {
        for (let id = 0; id < 10; id++) {
          await gates[id]!.promise;
          sent.push(channel.send(`message from server #${id}`, false));
        }
        await gates[10]!.promise;
        sent.push(channel.close());
      })();
    });
    const client = await site.connect();
    client.write(request("GET /stream"));
    for (let id = 0; id < 10; id++) {
      gates[id]!.resolve();
      if (id === 0) {
        const head = await client.head();
        assert.deepEqual([head.status, head.framing], [200, "chunked"]);
        assert.deepEqual(head.headers.get("content-type"), ["text/plain; charset=utf-8"]);
      }
      assert.equal((await client.chunk())?.toString(), `message from server #${id}`);
    }
    assert.deepEqual(closed, []);
    gates[10]!.resolve();
    assert.equal(await client.chunk(), undefined);
    await until(() => closed.length > 0, "the close handler has run");
    assert.deepEqual(closed, [{ by: "server", code: 1000, reason: "", name: "server-close" }]);
    assert.deepEqual(sent, Array(11).fill(true));
    client.write(request("GET /stream"));
    assert.equal((await client.head()).status, 200);
  });

  for (const connection of ["keep-alive", "close"]) {
    it(`is whole with Connection: ${connection}, of pieces bare and in maps (test-streaming-body)`, async (t) => {
      const text = "The quick brown fox jumps over the lazy dog. ".repeat(500);
      let closes = 0;
      const site = await channels(t, (channel) => {
        channel.onClose(() => void (closes += 1));
        const pieces = text.match(/[\s\S]{1,777}/g)!;
        for (const [i, piece] of pieces.entries()) channel.send(i % 2 === 0 ? piece : { body: piece }, false);
        channel.send("", true);
      });
      const client = await site.connect();
      client.write(request(`GET / HTTP/1.1\r\nConnection: ${connection}`));
      const response = await client.response();
      assert.equal(response.text, text);
      assert.deepEqual(response.headers.get("connection"), connection === "close" ? ["close"] : undefined);
      if (connection === "close") await client.ended();
      await until(() => closes > 0, "the close handler has run");
      assert.equal(closes, 1);
    });
  }

  it("keeps status and headers of its first send, and drops those of later ones (seed S10)", async (t) => {
    const site = await channels(t, (channel) => {
      channel.send(
        { status: 202, headers: { "X-A": "1", "Content-Length": "1", "Transfer-Encoding": "x" }, body: "a" },
        false,
      );
      channel.send({ status: 500, headers: { "X-B": "2" }, body: "b" }, false);
      channel.send({ status: 500, headers: { "X-B": "2" }, body: "c" }, true);
    });
    const response = await site.request("GET /");
    assert.deepEqual([response.status, response.text, response.framing], [202, "abc", "chunked"]);
    assert.deepEqual([response.headers.get("x-a"), response.headers.get("x-b")], [["1"], undefined]);
  });

  it("is delimited by the end of the connection in HTTP/1.0", async (t) => {
    const site = await channels(t, (channel) => {
      channel.send("a", false);
      channel.send("b", false);
      channel.close();
    });
    const client = await site.connect();
    client.write(request("GET / HTTP/1.0"));
    const response = await client.response();
    assert.deepEqual([response.framing, response.text, response.headers.get("connection")], ["close", "ab", ["close"]]);
  });

  for (const [what, text, status] of [
    ["to HEAD", "HEAD /", 200],
    ["with 204", "GET /204", 204],
    ["with 205", "GET /205", 205],
    ["with 304", "GET /304", 304],
  ] as const) {
    it(`${what} is over with its head: the send says true, later ones false`, async (t) => {
      const results: boolean[] = [];
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          const first = { status: Number(r.path.slice(1)) || 200, body: "no body" };
          results.push(channel.send(first, false), channel.isOpen, channel.send("more", false), channel.close());
        }),
      );
      const client = await site.connect();
      for (let i = 0; i < 2; i++) {
        client.write(request(text));
        const response = await client.response(text.split(" ")[0]);
        assert.deepEqual([response.status, response.text], [status, ""]);
      }
      assert.deepEqual(results, [true, false, false, false, true, false, false, false]);
    });
  }

  it("sends what a turn has collected in few packets, each send a chunk of its own", async (t) => {
    const site = await channels(t, (channel) => {
      for (let i = 0; i < 50; i++) channel.send(`${i};`, false);
      channel.close();
    });
    const response = await site.request("GET /");
    assert.deepEqual(
      response.chunks,
      Array.from({ length: 50 }, (_, i) => `${i};`),
    );
  });

  it("has one head, whoever sends first", async (t) => {
    const site = await channels(t, (channel) => {
      for (let i = 0; i < 8; i++) setImmediate(() => channel.send(`${i}`, false));
      setImmediate(() => setImmediate(() => channel.close()));
    });
    const response = await site.request("GET /");
    assert.equal(response.text, "01234567");
  });

  it("has the length and type of a Blob that ends it", async (t) => {
    const site = await channels(t, (channel) => channel.send(new Blob(["<svg/>"], { type: "image/svg+xml" }), true));
    const response = await site.request("GET /");
    assert.deepEqual([response.framing, response.text], ["length", "<svg/>"]);
    assert.deepEqual(response.headers.get("content-type"), ["image/svg+xml"]);
  });

  it("keeps a character that is cut between two parts of a stream", async (t) => {
    const bytes = new TextEncoder().encode("€");
    const site = await channels(t, (channel) => channel.send([bytes.subarray(0, 1), bytes.subarray(1)], true));
    assert.equal((await site.request("GET /")).text, "€");
  });

  it("starts while the request's body is still coming, and both arrive whole", async (t) => {
    const site = await serving(t, (r) =>
      withChannel(r, async (channel) => {
        channel.send("begun ", false);
        channel.send(`read ${(await r.bytes()).length}`, true);
      }),
    );
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 200000"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "begun ");
    client.write("x".repeat(200_000));
    assert.equal((await client.chunk())?.toString(), "read 200000");
    assert.equal(await client.chunk(), undefined);
    client.write(request("GET /"));
    assert.equal((await client.head()).status, 200);
  });

  it("is cut, never left hanging, if its setup rejects after its first chunk (http-kit 1.4, defect 5)", async (t) => {
    const status = deferred<CloseStatus>();
    const site = await channels(t, async (channel) => {
      channel.onClose(status.resolve);
      channel.send("first", false);
      await turn();
      throw new Error("boom");
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await client.head();
    assert.equal((await client.chunk())?.toString(), "first");
    await client.ended();
    assert.equal((await status.promise).code, 1011);
    assert.deepEqual(site.takeMessages(), ["open: boom"]);
  });
});
