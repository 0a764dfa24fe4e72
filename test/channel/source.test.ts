// Every source that was handed over is told, whatever becomes of it: read, waiting, refused, or left by its client while a
// read is pending. Nothing stays locked, and no late error is uncaught.

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { PassThrough, Readable } from "node:stream";
import { describe, it } from "node:test";
import { type Channel, createChannelStore, json, type SendBody, withChannel } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";

interface Probe {
  readonly body: SendBody;
  readonly isTold: () => boolean;
  readonly isLocked?: () => boolean;
}

/** A source of each kind that says "a" and then nothing for ever. */
const SILENT: Record<string, () => Probe> = {
  "a ReadableStream": () => {
    let isTold = false;
    const body = new ReadableStream<string>({
      start: (controller) => controller.enqueue("a"),
      cancel: () => {
        isTold = true;
      },
    });
    return { body, isTold: () => isTold, isLocked: () => body.locked };
  },
  "a Node Readable": () => {
    const body = new PassThrough();
    body.write("a");
    return { body, isTold: () => body.destroyed };
  },
  "a Node Readable as a web stream": () => {
    const inner = new PassThrough();
    inner.write("a");
    return { body: Readable.toWeb(inner) as ReadableStream<Uint8Array>, isTold: () => inner.destroyed };
  },
  "an iterator": () => {
    let isTold = false;
    let isFirst = true;
    const body = {
      [Symbol.asyncIterator]() {
        return this;
      },
      next(): Promise<IteratorResult<string, undefined>> {
        if (!isFirst) return new Promise(() => {});
        isFirst = false;
        return Promise.resolve({ done: false, value: "a" });
      },
      return(): Promise<IteratorResult<string, undefined>> {
        isTold = true;
        return Promise.reject(new Error("nobody is left to hear this"));
      },
    };
    return { body, isTold: () => isTold };
  },
};

for (const [kind, make] of Object.entries(SILENT)) {
  describe(`${kind} that is silent`, () => {
    for (const accept of ["text/plain", "text/event-stream"]) {
      it(`is cancelled when the client of a ${accept} response leaves while a read is pending`, async (t) => {
        const probe = make();
        const site = await serving(t, (r) => withChannel(r, (channel) => channel.send(probe.body, true)));
        const client = await site.connect();
        client.write(request(`GET /\r\nAccept: ${accept}`));
        await client.head();
        client.destroy();
        await until(probe.isTold, "the source is told");
        assert.notEqual(probe.isLocked?.(), true);
      });
    }

    it("is cancelled when the client of a returned body leaves", async (t) => {
      const probe = make();
      const site = await serving(t, () => ({ body: probe.body }));
      const client = await site.connect();
      client.write(request("GET /"));
      await client.head();
      client.destroy();
      await until(probe.isTold, "the source is told");
    });

    it("is cancelled when a WebSocket's client leaves, and when the channel is terminated", async (t) => {
      const probes = [make(), make()];
      const channels: Channel[] = [];
      const site = await serving(t, (r) => {
        withChannel(r, (channel) => {
          channels.push(channel);
          channel.send(probes[channels.length - 1]!.body);
        });
      });
      const [first, second] = [await WsClient.open(t, site.target), await WsClient.open(t, site.target)];
      await until(() => channels.length === 2, "both are open");
      first.raw.destroy();
      channels[1]!.terminate();
      await until(() => probes.every(({ isTold }) => isTold()), "both sources are told");
      second.raw.destroy();
    });

    it("is cancelled when it waits behind another stream and the channel ends", async (t) => {
      const [first, second] = [make(), make()];
      const site = await serving(t, (r) => {
        withChannel(r, (channel) => {
          assert.equal(channel.send(first.body, false), true);
          assert.equal(channel.send(second.body, false), true);
        });
      });
      const client = await site.connect();
      client.write(request("GET /"));
      await client.head();
      client.destroy();
      await until(() => first.isTold() && second.isTold(), "both sources are told");
      assert.notEqual(second.isLocked?.(), true);
    });

    it("is cancelled when a closed channel refuses it", async (t) => {
      const probe = make();
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          channel.close();
          assert.equal(channel.send(probe.body), false);
        }),
      );
      await site.request("GET /");
      await until(probe.isTold, "the source is told");
      assert.notEqual(probe.isLocked?.(), true);
    });

    it("is cancelled when a send throws for its head, and is not locked", async (t) => {
      const probes = [make(), make()];
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          assert.throws(() => channel.send({ headers: { "X-A": "漢" }, body: probes[0]!.body }), {
            code: "BAD_HEADER",
          });
          assert.throws(() => channel.send({ status: 999, body: probes[1]!.body }), { code: "BAD_STATUS" });
          channel.send("fine");
        }),
      );
      assert.equal((await site.request("GET /")).text, "fine");
      await until(() => probes.every(({ isTold }) => isTold()), "both sources are told");
      for (const { isLocked } of probes) assert.notEqual(isLocked?.(), true);
    });

    it("is cancelled when it is published, or broadcast to nobody", async () => {
      const store = createChannelStore();
      const closed = createChannelStore();
      await closed.close();
      for (const dress of [(body: SendBody) => body as object, (body: SendBody) => ({ body })]) {
        const refusals: readonly ((body: object) => unknown)[] = [
          (body) => assert.rejects(store.publish("g", body), { code: "BAD_DATA" }),
          (body) => assert.rejects(store.publish("g".repeat(1025), body), { code: "BAD_OPTION" }),
          (body) => assert.rejects(closed.publish("g", body), { code: "BACKPLANE_UNAVAILABLE" }),
          (body) => assert.equal(store.broadcast("g", body), 0),
        ];
        for (const refuse of refusals) {
          const probe = make();
          await refuse(dress(probe.body));
          await until(probe.isTold, "the source is told");
        }
      }
    });

    it("is cancelled when a handler returns it beside its channel", async (t) => {
      const probe = make();
      const site = await serving(t, (r) => {
        withChannel(r, (channel) => channel.send("the channel's"));
        return { body: probe.body };
      });
      assert.equal((await site.request("GET /")).text, "the channel's");
      await until(probe.isTold, "the source is told");
      assert.match(site.takeMessages()[0]!, /answered already/);
    });

    it("is cancelled when a handler returns it with a head that cannot be sent: 500, and no channel stays", async (t) => {
      const probe = make();
      const site = await serving(t, () => ({ headers: { "X-A": "漢" }, body: probe.body }));
      assert.equal((await site.request("GET /")).status, 500);
      await until(probe.isTold, "the source is told");
      assert.equal(site.server.stats().channels.stream, 0);
      assert.equal(site.takeReports().length, 1);
    });

    it("is cancelled when the request was a HEAD, or the status has no body", async (t) => {
      const probes: Probe[] = [];
      const site = await serving(t, (r) => {
        probes.push(make());
        return { status: r.path === "/204" ? 204 : 200, body: probes.at(-1)!.body };
      });
      await site.request("HEAD /");
      await site.request("GET /204");
      await until(() => probes.every(({ isTold }) => isTold()), "both sources are told");
    });
  });
}

describe("a Fetch Response with a silent stream", () => {
  it("is cancelled when its client leaves, with and without a first chunk", async (t) => {
    let cancelled = 0;
    const site = await serving(t, (r) => {
      const start = (controller: ReadableStreamDefaultController): void => {
        if (r.path === "/chunk") controller.enqueue(new TextEncoder().encode("a"));
      };
      return new Response(new ReadableStream({ start, cancel: () => void (cancelled += 1) }));
    });
    for (const path of ["/chunk", "/silent"]) {
      const client = await site.connect();
      client.write(request(`GET ${path}`));
      await client.head();
      client.destroy();
    }
    await until(() => cancelled === 2, "both streams are cancelled");
    await until(() => site.server.stats().channels.stream === 0, "both channels have ended");
  });

  it("is cancelled when a channel has answered already", async (t) => {
    const isCancelled = deferred();
    const site = await serving(t, (r) => {
      withChannel(r, (channel) => channel.send("the channel's"));
      return new Response(new ReadableStream({ cancel: () => isCancelled.resolve() }));
    });
    assert.equal((await site.request("GET /")).text, "the channel's");
    await isCancelled.promise;
    site.takeReports();
  });

  it("is a 500 where its stream is locked, and the server goes on and stops", async (t) => {
    const stream = new ReadableStream();
    stream.getReader();
    const site = await serving(t, (r) => (r.path === "/raw" ? { body: stream } : new Response("fine")));
    assert.equal((await site.request("GET /raw")).status, 500);
    assert.equal((await site.request("GET /")).text, "fine");
    assert.equal(site.takeReports().length, 1);
    await site.server.stop({ graceMs: 50 });
    assert.equal(site.server.status, "stopped");
  });
});

describe("a file that cannot be read", () => {
  it("is no uncaught exception where it waits its turn, or was refused", async (t) => {
    const gate = deferred();
    async function* slow(): AsyncGenerator<string> {
      await gate.promise;
      yield "first";
    }
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.send(slow(), false);
        channel.send(createReadStream("/there/is/no/such/file"), false);
        channel.close();
        assert.equal(channel.send(createReadStream("/there/is/no/such/file")), false);
      }),
    );
    const client = await site.connect();
    client.write(request("GET /"));
    await until(() => site.server.stats().requests === 1, "the request is there");
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    gate.resolve();
    const reports: string[] = [];
    await until(() => reports.push(...site.takeMessages()) > 0, "the failure is reported");
    assert.match(reports[0]!, /^send: .*ENOENT/);
    client.destroy();
  });
});

describe("an iterable that is written as a literal", () => {
  for (const [how, literal] of [
    [
      "asynchronous",
      () => ({
        async *[Symbol.asyncIterator]() {
          yield* ["one ", "two"];
        },
      }),
    ],
    ["synchronous", () => ({ [Symbol.iterator]: () => ["one ", "two"].values() })],
  ] as const) {
    it(`is a stream wherever it is handed over, ${how}`, async (t) => {
      const site = await serving(t, (r) => {
        if (r.path === "/returned") return literal();
        if (r.path === "/body") return { body: literal() };
        return withChannel(r, (channel) => channel.send(literal(), true));
      });
      for (const path of ["/returned", "/body", "/sent"]) {
        assert.equal((await site.request(`GET ${path}`)).text, "one two");
      }
    });
  }
});

describe("an iterator that cannot be begun", () => {
  const broken = {
    [Symbol.asyncIterator](): never {
      throw new Error("no iterator");
    },
  };

  it("is a 500 of its handler, and no channel stays", async (t) => {
    const site = await serving(t, () => ({ body: broken }));
    assert.equal((await site.request("GET /")).status, 500);
    assert.equal((await site.request("GET /\r\nAccept: text/event-stream")).status, 500);
    assert.equal(site.server.stats().channels.stream, 0);
    assert.equal(site.takeReports().length, 2);
  });

  it("has its return called once where its next throws", async (t) => {
    let returns = 0;
    const failing = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error("no part")),
        return: () => Promise.resolve({ done: true as const, value: (returns += 1) }),
      }),
    };
    const site = await serving(t, (r) => withChannel(r, (channel) => channel.send(failing as never, true)));
    await site.request("GET /").catch(() => {});
    await until(() => site.takeReports().length === 1, "the failure is reported");
    assert.equal(returns, 1);
  });

  it("is nothing that a closed channel reports, also where its method is asynchronous and rejects", async (t) => {
    const asynchronous = {
      async [Symbol.asyncIterator]() {
        throw new Error("nobody is told: the channel is closed");
      },
    } as never;
    const site = await serving(t, (r) =>
      withChannel(r, (channel) => {
        channel.close();
        assert.equal(channel.send(asynchronous), false);
      }),
    );
    assert.equal((await site.request("GET /")).status, 204);
    assert.deepEqual(site.takeReports(), []);
  });
});

describe("a promise where a body is expected", () => {
  for (const [how, dress] of [
    ["as it is", (promise: unknown) => promise],
    ["as a body", (body: unknown) => ({ body })],
    ["as JSON", (promise: unknown) => json(promise)],
    ["as a part of a stream", (promise: unknown) => [promise]],
  ] as const) {
    it(`is refused with BAD_DATA, and its rejection ends nothing: ${how}`, async (t) => {
      const site = await serving(t, (r) =>
        withChannel(r, (channel) => {
          channel.send(dress(Promise.reject(new Error("nobody is told: it was refused"))) as string);
        }),
      );
      await site.request("GET /").catch(() => {});
      const reports: string[] = [];
      await until(() => reports.push(...site.takeMessages()) > 0, "it is reported");
      assert.match(reports.join(), /it is a promise; await it first/);
      assert.equal(reports.length, 1);
    });
  }
});

describe("a Fetch Response whose body was read already", () => {
  for (const [how, use] of [
    ["whole", (response: Response) => response.text()],
    ["not at all: it was cancelled", (response: Response) => response.body!.cancel()],
  ] as const) {
    it(`is refused with BAD_DATA, not sent as an empty answer: ${how}`, async (t) => {
      const site = await serving(t, async (r) => {
        const response = new Response("all of it");
        await use(response);
        return r.path === "/returned" ? response : withChannel(r, (channel) => channel.send(response));
      });
      for (const path of ["/returned", "/sent"]) {
        assert.equal((await site.request(`GET ${path}`)).status, 500);
        assert.match(site.takeMessages()[0]!, /the body of the response was read already/);
      }
    });
  }
});

describe("a Fetch Response as the body of another answer", () => {
  it("is refused with BAD_DATA, and its stream is cancelled", async (t) => {
    let isCancelled = false;
    const site = await serving(t, () => {
      const stream = new ReadableStream({ cancel: () => void (isCancelled = true) });
      return { body: new Response(stream) as never };
    });
    assert.equal((await site.request("GET /")).status, 500);
    await until(() => isCancelled, "the stream is cancelled");
    assert.match(site.takeMessages()[0]!, /cannot be sent/);
  });
});
