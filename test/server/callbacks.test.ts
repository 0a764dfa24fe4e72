// Every callback and every function option of a server and its channels, failing in every way: no failure reaches the
// process, and the next client of the same server gets its answer.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Channel,
  type ChannelHandlers,
  type ChannelOptions,
  type ChannelRequest,
  type ChannelStore,
  createChannelStore,
  type Handler,
  type JoinOptions,
  openChannel,
  openSession,
  type SendData,
  type ServeOptions,
  type SessionHandlers,
  serve,
  withChannel,
} from "../../src/index.ts";
import { FAILING_WAYS } from "../support/failing-ways.ts";
import { RawClient, type Target } from "../support/raw-client.ts";
import { lacks } from "../support/runtime.ts";
import { request } from "../support/serving.ts";
import {
  back,
  close as closeRecord,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
  text,
} from "../support/session-client.ts";
import { turn, until } from "../support/wait.ts";
import { frame, upgradeRequest, WsClient } from "../support/ws-client.ts";

/** The function that fails. Its type is that of whatever callback it is given as. */
// biome-ignore lint/suspicious/noExplicitAny: it stands for functions of every type
type Failing = (...args: any[]) => any;

/** A server with something that fails in it, and what a client does so that it is called. */
interface Case {
  readonly handler: Handler;
  readonly options?: ServeOptions;
  act(t: TestContext, target: Target): Promise<unknown>;
}

const OPCODE_PONG = 10;

/** A WebSocket that opens, says something, pings, pongs and closes. */
async function talk(t: TestContext, target: Target): Promise<void> {
  const client = await WsClient.open(t, target);
  client.raw.write(frame(OPCODE_PONG, "unasked"));
  client.send("hello");
  client.ping("ping");
  client.close(1000);
  await client.raw.takeRest();
}

async function knock(t: TestContext, target: Target, fields: readonly string[] = []): Promise<void> {
  const client = await RawClient.connect(t, target);
  client.write(upgradeRequest("/", ["Origin: https://app.example", "Sec-WebSocket-Protocol: chat", ...fields]));
  await client.head();
  client.destroy();
}

async function get(t: TestContext, target: Target): Promise<void> {
  const client = await RawClient.connect(t, target);
  client.write(request("GET / HTTP/1.1\r\nConnection: close"));
  await client.takeRest();
}

/** A session that polls twice, on two carriers, sends something and closes. */
async function converse(t: TestContext, target: Target): Promise<void> {
  const endpoint = { ...target, pathname: "/" };
  const open = opened(await poll(t, endpoint));
  await post(t, endpoint, open.session, 1, text("hello"));
  const stream = await StreamClient.open(t, endpoint, back(open, 0));
  stream.raw.destroy();
  await post(t, endpoint, open.session, 2, closeRecord());
}

/** A session whose client asks. */
const asked = (handlers: SessionHandlers): Case => ({
  handler: (r) => openSession(r, handlers),
  async act(t, target) {
    const socket = await SocketClient.open(t, { ...target, pathname: "/" }, { requests: 1 });
    await socket.opened();
    socket.ws.send("rask 1\nx");
    await socket.record();
  },
});

const channelOf = (handlers: ChannelHandlers, options?: ChannelOptions): Case => ({
  handler: (r) => openChannel(r, handlers, options),
  act: talk,
});
const DROPPING: ChannelOptions = { maxMessagesPerSecond: 0, onRateExceeded: "drop" };
const sessionOf = (handlers: SessionHandlers): Case => ({ handler: (r) => openSession(r, handlers), act: converse });
const setupOf = (setup: (channel: Channel) => unknown, options?: ChannelOptions): Case => ({
  handler: (r) => withChannel(r, setup, options),
  act: talk,
});
const sending = (data: () => unknown): Case => ({
  handler: (r) => withChannel(r, (channel) => void channel.send({ body: data() } as SendData, true)),
  act: get,
});
const served = (options: ServeOptions, act = get): Case => ({
  handler: (r) => withChannel(r, (channel) => void channel.send("hello", true)),
  options,
  act,
});
const silent = (): void => {};
/** A channel that joins a group of the store, and what happens then. */
const joining = (store: ChannelStore, options: JoinOptions = {}, then = silent): Case =>
  setupOf((channel) => {
    store.addToGroup("all", channel, undefined, options);
    then();
  });
const failingHandler: () => never = () => {
  throw new Error("to be reported");
};
/** A source whose client leaves after the first part. */
const leftEarly = (iterable: () => unknown): Case => ({
  handler: (r) => withChannel(r, (channel) => void channel.send({ body: iterable() } as SendData)),
  async act(t, target) {
    const client = await RawClient.connect(t, target);
    client.write(request("GET / HTTP/1.1"));
    await client.head();
    client.destroy();
  },
});

/** A listener of the signal of a request whose client leaves. */
const listening = (signalOf: (request: ChannelRequest) => AbortSignal, listener: Failing): Case => ({
  handler(r) {
    signalOf(r).addEventListener("abort", listener);
    return new Promise(silent);
  },
  async act(t, target) {
    const client = await RawClient.connect(t, target);
    client.write(request("GET / HTTP/1.1"));
    await turn();
    client.destroy();
  },
});

const CASES: Readonly<Record<string, (fail: Failing) => Case>> = {
  handler: (fail) => ({ handler: fail, act: get }),
  upgrade: (fail) => served({ upgrade: fail, allowedOrigins: "any" }, knock),
  onError: (fail) => ({ handler: failingHandler, options: { onError: fail }, act: get }),
  "logger.info": (fail) => served({ logger: { info: fail, warn: silent, error: silent } }),
  "logger.warn": (fail) => ({
    handler: (r) =>
      withChannel(
        r,
        (channel) => {
          channel.send("x".repeat(1000));
          channel.send("y".repeat(1000));
        },
        { maxBufferedBytes: 1 },
      ),
    options: { onError: undefined, logger: { info: silent, warn: fail, error: silent } },
    act: talk,
  }),
  "logger.error": (fail) => ({
    handler: failingHandler,
    options: { onError: undefined, logger: { info: silent, warn: silent, error: fail } },
    act: get,
  }),
  allowedOrigins: (fail) => served({ allowedOrigins: fail }, knock),
  trustedProxies: (fail) => ({
    handler: (r: ChannelRequest) => String(r.remoteAddress),
    options: { trustedProxies: fail },
    act: get,
  }),
  protocols: (fail) => ({
    handler: (r) => withChannel(r, silent, { protocols: fail }),
    options: { allowedOrigins: "any" },
    act: knock,
  }),
  open: (fail) => channelOf({ open: fail }),
  setup: (fail) => setupOf(fail),
  message: (fail) => channelOf({ message: fail }),
  ping: (fail) => channelOf({ ping: fail }),
  pong: (fail) => channelOf({ pong: fail }),
  drain: (fail) => channelOf({ open: (channel) => void channel.send("x"), drain: fail }),
  dropped: (fail) => channelOf({ dropped: fail }, DROPPING),
  close: (fail) => channelOf({ close: fail }),
  error: (fail) => channelOf({ message: () => Promise.reject(new Error("to be handled")), error: fail }),
  lost: (fail) => ({
    handler: (r) => openSession(r, { lost: fail }),
    async act(t, target) {
      opened(await poll(t, { ...target, pathname: "/" }, { session: "AAAAAAAAAAAAAAAAAAAAAA", after: 1 }));
    },
  }),
  request: (fail) => asked({ request: fail }),
  onRequest: (fail) => asked({ open: (channel) => void channel.onRequest(fail) }),
  "a listener of the signal of a request": (fail) =>
    asked({
      request: (_data, channel, { signal }) => {
        signal.addEventListener("abort", fail);
        channel.close();
      },
    }),
  resumed: (fail) => sessionOf({ resumed: fail }),
  transport: (fail) => sessionOf({ transport: fail }),
  onMessage: (fail) => setupOf((channel) => channel.onMessage(fail)),
  onPing: (fail) => setupOf((channel) => channel.onPing(fail)),
  onPong: (fail) => setupOf((channel) => channel.onPong(fail)),
  onDrain: (fail) =>
    setupOf((channel) => {
      channel.onDrain(fail);
      channel.send("x");
    }),
  onDropped: (fail) => setupOf((channel) => channel.onDropped(fail), DROPPING),
  onClose: (fail) =>
    setupOf((channel) => {
      channel.onClose(silent);
      channel.onClose(fail);
    }),
  "onClose after the end": (fail) =>
    setupOf((channel) => channel.onClose(() => void setImmediate(() => channel.onClose(fail)))),
  "a listener of channel.signal": (fail) =>
    setupOf((channel) => channel.signal.addEventListener("abort", fail, { once: true })),
  "the handleEvent of a listener of channel.signal": (fail) =>
    setupOf((channel) => channel.signal.addEventListener("abort", { handleEvent: fail })),
  "onabort of channel.signal": (fail) => setupOf((channel) => void (channel.signal.onabort = fail)),
  "a listener of request.signal": (fail) => listening((r) => r.signal, fail),
  "a listener of the signal of a Fetch request": (fail) => listening((r) => r.toRequest().signal, fail),
  "codec.encode": (fail) => ({
    handler: (r) =>
      withChannel(r, (channel) => void channel.send("x", true), { codec: { encode: fail, decode: String } }),
    act: talk,
  }),
  "codec.decode": (fail) => ({
    handler: (r) => withChannel(r, (channel) => channel.onMessage(silent), { codec: { encode: String, decode: fail } }),
    act: talk,
  }),
  "codec.decode of an iterator": (fail) => ({
    handler: (r) =>
      void withChannel(
        r,
        async (channel) => {
          setImmediate(async () => {
            for await (const _ of channel);
          });
        },
        { codec: { encode: String, decode: fail } },
      ),
    act: talk,
  }),
  onJoin: (fail) => joining(createChannelStore({ onJoin: fail, onError: silent })),
  onLeave: (fail) => joining(createChannelStore({ onLeave: fail, onError: silent })),
  "onError of a store": (fail) => joining(createChannelStore({ onJoin: failingHandler, onError: fail })),
  onReset: (fail) => joining(createChannelStore({ onError: silent }), { since: "unknown", onReset: fail }),
  "the function of broadcast": (fail) => {
    const store = createChannelStore({ onError: silent });
    return joining(store, {}, () => void store.broadcast("all", fail));
  },
  "codec.encode of a store": (fail) => {
    const store = createChannelStore({ codec: { encode: fail, decode: String }, onError: silent });
    return joining(store as ChannelStore, {}, () => void store.publish("all", "x").catch(silent));
  },
  "a stream's iterator": (fail) => sending(() => ({ [Symbol.asyncIterator]: fail })),
  "a stream's next": (fail) => sending(() => ({ [Symbol.asyncIterator]: () => ({ next: fail }) })),
  "a stream's return": (fail) =>
    leftEarly(() => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          await turn();
          return { done: false, value: "tick" };
        },
        return: fail,
      }),
    })),
  "a ReadableStream's pull": (fail) => sending(() => new ReadableStream({ pull: fail }, { highWaterMark: 0 })),
  "a ReadableStream's cancel": (fail) =>
    leftEarly(
      () =>
        new ReadableStream({
          async pull(controller) {
            await turn();
            controller.enqueue(Buffer.from("tick"));
          },
          cancel: fail,
        }),
    ),
};

/** Not callbacks: the platform calls these, or the library's own loop, which waits for what they return. */
const SOURCES = ["a stream's next", "a ReadableStream's pull", "a ReadableStream's cancel"];

/** True if `base/guard.ts` is the caller, or calls the file that is. */
function isGuarded(stack: string): boolean {
  const files = stack.split("\n").flatMap((line) => /\/(src\/[\w/-]+)\.[jt]s/.exec(line)?.[1] ?? []);
  return files.find((file) => file !== files[0]) === "src/base/guard" || files[0] === "src/base/guard";
}

const reached: unknown[] = [];
const record = (error: unknown): number => reached.push(error);

describe("a callback that fails ends neither the process nor another channel:", () => {
  for (const [name, make] of Object.entries(CASES)) {
    for (const [way, fault] of Object.entries(FAILING_WAYS)) {
      const isHostile = name === "a ReadableStream's pull" && way.includes("Proxy");
      const skip = isHostile && lacks("hostile objects as errors of a stream");
      it(`${name} ${way}`, { skip }, async (t) => {
        process.on("uncaughtException", record);
        process.on("unhandledRejection", record);
        t.after(() => {
          process.off("uncaughtException", record);
          process.off("unhandledRejection", record);
        });
        let calls = 0;
        let isOn = true;
        const stacks: string[] = [];
        const { handler, options, act } = make((...args: unknown[]) => {
          if (!isOn) return undefined;
          calls += 1;
          stacks.push(new Error("called from").stack!);
          return (fault as (...args: unknown[]) => unknown)(...args);
        });
        const server = await serve((r) => (r.path === "/good" ? "good" : handler(r)), {
          port: 0,
          host: "127.0.0.1",
          onError: silent,
          ...options,
        });
        t.after(() => server.stop({ graceMs: 0 }));
        const target = { port: server.port };
        await act(t, target);
        await until(() => calls > 0, `${name} is called`);
        if (!SOURCES.includes(name))
          assert.deepEqual(
            stacks.filter((stack) => !isGuarded(stack)),
            [],
          );
        // A rejection that nobody takes is found at the end of a turn.
        for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
        isOn = name === "trustedProxies" || name.startsWith("logger") || name === "onError";
        const neighbour = await RawClient.connect(t, target);
        neighbour.write(request("GET /good"));
        assert.equal((await neighbour.response()).text, "good");
        neighbour.destroy();
        await server.stop({ graceMs: 0 });
        for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate);
        assert.deepEqual(reached.splice(0), []);
      });
    }
  }
});
