// Tests of the promises of MessageCodec, on each way that a message takes. Published as `unichannel/codec-suite`. Each client has the real server at its other end, in memory and in virtual time.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { requests } from "../../src/client/index.ts";
import type { MessageCodec } from "../../src/codec/message-codec.ts";
import {
  createChannelStore,
  type Handler,
  MemoryBackplane,
  openChannel,
  openSession,
  pollGroup,
} from "../../src/index.ts";
import { type TestServer, testServer } from "../../src/testing/index.ts";

/** Both ends of a codec, with values that it takes and others that it refuses. */
export interface CodecSamples<AtServer, FromServer, AtClient, FromClient> {
  /** The end for the options of the server. */
  readonly server: MessageCodec<AtServer, FromServer>;
  /** The end for the options of `connect`. */
  readonly client: MessageCodec<AtClient, FromClient>;
  /** Two or more: a value that the client sends, and the value that the server receives. */
  readonly toServer: readonly (readonly [sent: FromClient, received: AtServer])[];
  /** Two or more: a value that the server sends, and the value that the client receives. */
  readonly toClient: readonly (readonly [sent: FromServer, received: AtClient])[];
  /** One or more of each. The messages are refused by both ends: text and bytes, cut short, of the wrong shape. */
  readonly refused: {
    readonly toServer: readonly unknown[];
    readonly toClient: readonly unknown[];
    readonly messages: readonly (string | Uint8Array)[];
  };
}

type Encoded = string | Uint8Array;

const REFUSED = { code: "BAD_MESSAGE" };

/** Registers the tests of a codec with `node:test`: all that a codec must do on every transport and carrier, in groups and in histories. */
export function codecContract<AtServer, FromServer, AtClient, FromClient>(
  name: string,
  samples: CodecSamples<AtServer, FromServer, AtClient, FromClient>,
): void {
  const { server, client, toServer, toClient, refused } = samples as unknown as AnySamples;
  const sentToClient = toClient.map(([sent]) => sent);
  const [first] = sentToClient;
  const receivedByClient = toClient.map(([, received]) => received);
  const encodedForClient = (): Encoded[] => sentToClient.map(server.encode);
  const isText = encodedForClient().every((message) => typeof message === "string");

  function start(t: TestContext, handler: Handler): TestServer {
    const app = testServer(handler);
    t.after(() => app.stop());
    return app;
  }

  /** A server of sessions that sends each sample when its client asks for it by a message. */
  function startSessions(t: TestContext): { app: TestServer; received: unknown[] } {
    const received: unknown[] = [];
    const app = start(t, (request) =>
      openSession(
        request,
        {
          message(value, channel) {
            received.push(value);
            for (const sent of sentToClient) channel.send(sent);
          },
          request(value) {
            received.push(value);
            return first;
          },
        },
        { codec: server },
      ),
    );
    return { app, received };
  }

  describe(`the codec ${name}`, () => {
    for (const [way, from, to, values, bad] of [
      ["to the server", client, server, toServer, refused.toServer],
      ["to the client", server, client, toClient, refused.toClient],
    ] as const) {
      describe(way, () => {
        it("has two samples and something to refuse", () => {
          assert.ok(values.length > 1 && bad.length > 0 && refused.messages.length > 0);
        });

        it("makes text or bytes of each value, which become the value of the other end", () => {
          for (const [sent, received] of values) {
            const message = from.encode(sent);
            assert.ok(typeof message === "string" || message instanceof Uint8Array, "text or a Uint8Array");
            assert.deepEqual(to.decode(message), received);
          }
        });

        it("keeps no state: each message can be decoded without those before it, twice, and in another order", () => {
          const messages = values.map(([sent]) => from.encode(sent));
          for (const again of [1, 2]) {
            for (let i = values.length - 1; i >= 0; i--)
              assert.deepEqual(to.decode(messages[i]!), values[i]![1], `${again}`);
          }
        });

        it("leaves its messages alone: they wait in histories and for acknowledgements while others are encoded and decoded", () => {
          const messages = values.map(([sent]) => from.encode(sent));
          const copies = messages.map(copy);
          for (const [sent] of values) to.decode(from.encode(sent));
          for (const message of messages) to.decode(message);
          assert.deepEqual(messages.map(copy), copies);
        });

        it("decodes bytes in the middle of a longer buffer", () => {
          for (const [sent, received] of values) assert.deepEqual(to.decode(inTheMiddle(from.encode(sent))), received);
        });

        it("refuses values with BAD_MESSAGE", () => {
          for (const value of bad) assert.throws(() => from.encode(value), REFUSED);
        });

        it("refuses messages with BAD_MESSAGE, and goes on", () => {
          const [sent, received] = values[0]!;
          for (const message of refused.messages) {
            assert.throws(() => to.decode(message), REFUSED, String(message));
            assert.deepEqual(to.decode(from.encode(sent)), received);
          }
        });
      });
    }

    for (const carrier of ["websocket", "sse", "poll"] as const) {
      it(`goes both ways in a session, in order, also after a loss (${carrier})`, async (t) => {
        const { app, received } = startSessions(t);
        const connection = app.connect("/", { carriers: [carrier], codec: client });
        const heard: unknown[] = [];
        connection.onMessage((value) => heard.push(value));
        await app.settle();
        for (const [sent] of toServer) {
          connection.send(sent);
          app.network.cut();
          await app.advance(1000);
        }
        await app.advance(10_000);
        assert.deepEqual(
          received,
          toServer.map(([, value]) => value),
        );
        assert.deepEqual(
          heard,
          toServer.flatMap(() => receivedByClient),
        );
      });

      it(`has requests and replies in a session (${carrier})`, async (t) => {
        const { app, received } = startSessions(t);
        const connection = app.connect("/", { carriers: [carrier], codec: client, requests: requests() });
        const [sent, value] = toServer[0]!;
        const [reply] = await Promise.all([connection.request(sent), app.settle()]);
        assert.deepEqual([received, reply], [[value], receivedByClient[0]]);
      });

      it(`refuses on the ways of a session, whose ends stay open (${carrier})`, async (t) => {
        const { app, received } = startSessions(t);
        const connection = app.connect("/", { carriers: [carrier], codec: client });
        const rude = app.connect("/", { carriers: [carrier] });
        for (const value of refused.toServer) assert.throws(() => connection.send(value), REFUSED);
        for (const message of refused.messages) rude.send(message);
        await app.settle();
        assert.deepEqual(codes(app.takeErrors()), Array(refused.messages.length).fill("BAD_MESSAGE"));
        assert.deepEqual([received, rude.state, connection.state], [[], "open", "open"]);
      });
    }

    it("reaches the members of a group in all processes, and those that come later by the history", async (t) => {
      const backplane = new MemoryBackplane();
      const stores = [backplane, backplane.share()].map((own) => createChannelStore({ codec: server, backplane: own }));
      const app = start(t, (request) =>
        openSession(
          request,
          {
            open: (channel) =>
              void stores[request.path === "/1" ? 0 : 1]!.addToGroup("g", channel as never, undefined, { since: "" }),
          },
          { codec: server },
        ),
      );
      const heard: unknown[][] = [];
      const join = async (path: string, carrier: "websocket" | "sse" | "poll"): Promise<void> => {
        const own: unknown[] = [];
        heard.push(own);
        app.connect(path, { carriers: [carrier], codec: client }).onMessage((value) => own.push(value));
        await app.settle();
      };
      await join("/1", "websocket");
      await join("/2", "websocket");
      for (const value of sentToClient) await stores[0]!.publish("g", value);
      await join("/2", "sse");
      await join("/2", "poll");
      for (const own of heard) assert.deepEqual(own, receivedByClient);
      for (const value of refused.toClient) await assert.rejects(stores[0]!.publish("g", value), REFUSED);
      await Promise.all(stores.map((store) => store.close()));
    });

    it("is in each frame of a plain WebSocket", async (t) => {
      const app = start(t, (request) =>
        openChannel(
          request,
          {
            open(channel) {
              for (const value of sentToClient) channel.send(value);
            },
          },
          { codec: server },
        ),
      );
      const socket = await app.websocket("/");
      for (const received of receivedByClient) {
        assert.deepEqual(client.decode((await socket.next()) as Encoded), received);
      }
    });

    it("is the body of a plain HTTP answer, with the codec's content type", async (t) => {
      const app = start(t, (request) => openChannel(request, { open: (c) => void c.send(first) }, { codec: server }));
      const response = await app.fetch("/");
      assert.equal(
        response.headers.get("content-type"),
        server.contentType ?? (isText ? "text/plain; charset=utf-8" : null),
      );
      assert.deepEqual(client.decode(await bodyOf(response, isText)), receivedByClient[0]);
    });

    it("is the data of the events of a plain event stream", {
      skip: !isText && "a codec of bytes: event streams are text, a session carries bytes over them as base64",
    }, async (t) => {
      const app = start(t, (request) => openChannel(request, { open: (c) => void c.send(first) }, { codec: server }));
      const { data } = (await app.events("/").next()) as { data: string };
      assert.deepEqual(client.decode(data), receivedByClient[0]);
    });

    it("is in the answers of polls, bytes as base64", async (t) => {
      const store = createChannelStore({ codec: server });
      const app = start(t, (request) => pollGroup(request, store, "g"));
      for (const value of sentToClient) await store.publish("g", value);
      const { messages } = (await (await app.fetch("/?since=")).json()) as { messages: Polled[] };
      assert.deepEqual(
        messages.map((message) => client.decode(polled(message))),
        receivedByClient,
      );
      await store.close();
    });
  });
}

type AnySamples = CodecSamples<unknown, unknown, unknown, unknown>;

interface Polled {
  readonly data: unknown;
  readonly encoding?: "base64";
}

/** The message that a codec made. A poll has JSON of any codec as a value, not as a text in a text. */
function polled({ data, encoding }: Polled): Encoded {
  if (encoding === "base64") return Uint8Array.from(Buffer.from(data as string, "base64"));
  return typeof data === "string" ? data : JSON.stringify(data);
}

async function bodyOf(response: Response, isText: boolean): Promise<Encoded> {
  return isText ? response.text() : new Uint8Array(await response.arrayBuffer());
}

function inTheMiddle(message: Encoded): Encoded {
  if (typeof message === "string") return message;
  const longer = new Uint8Array(message.length + 8).fill(255);
  longer.set(message, 3);
  return longer.subarray(3, 3 + message.length);
}

function copy(message: Encoded): Encoded {
  return typeof message === "string" ? message : Uint8Array.from(message);
}

function codes(errors: readonly unknown[]): unknown[] {
  return errors.map((error) => (error as { code?: unknown }).code);
}
