// The members of the objects that an application is given, at run time: those of the contract, and no others.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  type Channel,
  type ChannelRequest,
  createChannelStore,
  type MessageCodec,
  openChannel,
  openSession,
  withChannel,
} from "../../src/index.ts";
import { RawClient } from "../support/raw-client.ts";
import { request, serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const CHANNEL: Readonly<Record<keyof Channel, true>> = {
  id: true,
  isOpen: true,
  isWebSocket: true,
  transport: true,
  bufferedAmount: true,
  response: true,
  signal: true,
  expiresAt: true,
  attachment: true,
  send: true,
  close: true,
  terminate: true,
  ping: true,
  drained: true,
  request: true,
  onMessage: true,
  onRequest: true,
  onReceive: true,
  onClose: true,
  onPing: true,
  onPong: true,
  onDrain: true,
  onDropped: true,
  [Symbol.asyncIterator]: true,
};

const REQUEST: readonly (keyof ChannelRequest)[] = [
  ...(["id", "method", "url", "path", "query", "headers", "httpVersion", "scheme", "host", "remoteAddress"] as const),
  ...(["attachment", "isWebSocket", "acceptsEventStream", "lastEventId", "signal", "body"] as const),
  ...(["bytes", "text", "json", "toRequest"] as const),
];

/** Members of a request that are not in the published types. None may be added. */
const REQUEST_INTERNAL: readonly string[] = [
  "exchange",
  "context",
  "channel",
  "upgrade",
  "isOriginAllowed",
  "isRefused",
  "opened",
  "onDrain",
  "onHalfClose",
  "onGone",
  "isEndedBy",
];

/** Own and inherited, up to Object. */
function membersOf(value: object): string[] {
  const members = new Set<string>();
  for (let owner = value; owner !== Object.prototype; owner = Object.getPrototypeOf(owner)) {
    for (const key of Reflect.ownKeys(owner)) if (key !== "constructor") members.add(String(key));
  }
  return [...members].sort();
}

function sorted(keys: readonly PropertyKey[]): string[] {
  return keys.map(String).sort();
}

/** Returns what `look` finds in a handler when a client has sent a GET. */
async function found<T>(t: TestContext, look: (request: ChannelRequest) => T, fields = ""): Promise<T> {
  const values: T[] = [];
  const { target } = await serving(t, (r) => void values.push(look(r)));
  const client = await RawClient.connect(t, target);
  client.write(request(`GET /?mode=poll HTTP/1.1${fields}`));
  await until(() => values.length > 0, "the handler was called");
  return values[0]!;
}

const CODEC: MessageCodec<string, string> = { encode: String, decode: String };
const store = createChannelStore();
const typed = createChannelStore({ codec: CODEC });

const CHANNELS: Readonly<Record<string, (request: ChannelRequest) => object>> = {
  "withChannel returns": (r) => withChannel(r, () => {}),
  "openChannel returns": (r) => openChannel(r, {}),
  "openChannel returns for a codec": (r) => openChannel(r, {}, { codec: CODEC }),
  "openSession returns": (r) => openSession(r, {}),
  "a setup is given": (r) => {
    let given: Channel | undefined;
    withChannel(r, (channel) => {
      given = channel;
    });
    return given!;
  },
  "a store lists as a member": (r) => {
    store.addToGroup(
      "all",
      withChannel(r, () => {}),
    );
    return store.members("all")[0]![0];
  },
  "a store with a codec lists as a member": (r) => {
    typed.addToGroup("all", openChannel(r, {}, { codec: CODEC }));
    return typed.members("all")[0]![0];
  },
};

describe("at run time", () => {
  for (const [what, look] of Object.entries(CHANNELS)) {
    it(`the channel that ${what} has the members of the contract and no others`, async (t) => {
      assert.deepEqual(membersOf(await found(t, look)), sorted(Reflect.ownKeys(CHANNEL)));
    });
  }

  it("a channel's only own property is its attachment", async (t) => {
    assert.deepEqual(Reflect.ownKeys(await found(t, (r) => withChannel(r, () => {}))), ["attachment"]);
  });

  it("a request has the members of the contract, and those of the library that are known", async (t) => {
    assert.deepEqual(membersOf(await found(t, (r) => r)), sorted([...REQUEST, ...REQUEST_INTERNAL]));
  });
});
