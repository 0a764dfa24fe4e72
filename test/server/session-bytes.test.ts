// A session copies the bytes that it keeps: the application may change what it has sent, and keep what it has received.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { SessionRecord } from "../../src/codec/session-record.ts";
import type { Channel, SessionHandlers } from "../../src/index.ts";
import { prepare } from "../../src/index.ts";
import {
  back,
  CARRIERS,
  type CarrierKind,
  type Endpoint,
  opened,
  poll,
  post,
  SocketClient,
  StreamClient,
} from "../support/session-client.ts";
import { sessionOfPoll, sessionOfSocket, sessionSite } from "../support/session-site.ts";
import { until } from "../support/wait.ts";

/** More than a piece of the pool, and more than what is copied into the text beside it. */
const SIZES = [1, 100, 3000, 70_000];

/** Bytes as an application may have them, and what overwrites them all. */
const FORMS: readonly (readonly [
  name: string,
  make: (size: number) => { bytes: Uint8Array | ArrayBuffer; spoil: () => unknown },
])[] = [
  [
    "a Uint8Array",
    (size) => {
      const bytes = new Uint8Array(size).fill(7);
      return { bytes, spoil: () => bytes.fill(9) };
    },
  ],
  [
    "a Buffer out of the pool",
    (size) => {
      const bytes = Buffer.allocUnsafe(size).fill(7);
      return { bytes, spoil: () => bytes.fill(9) };
    },
  ],
  [
    "a piece of a large Buffer",
    (size) => {
      const whole = Buffer.alloc(8 * size + 4096, 7);
      return { bytes: whole.subarray(16, 16 + size), spoil: () => whole.fill(9) };
    },
  ],
  [
    "an ArrayBuffer that is then transferred",
    (size) => {
      const bytes = new Uint8Array(size).fill(7).buffer;
      return { bytes, spoil: () => structuredClone(bytes, { transfer: [bytes] }) };
    },
  ],
];

/** All records of a carrier up to the last of `count` numbered ones. */
async function records(t: TestContext, endpoint: Endpoint, kind: CarrierKind, count: number, query = {}) {
  if (kind === "poll") return (await poll(t, endpoint, { ...query, park: 0 })).records.slice(1);
  const carrier =
    kind === "websocket" ? await SocketClient.open(t, endpoint, query) : await StreamClient.open(t, endpoint, query);
  await carrier.opened();
  const found: SessionRecord[] = [];
  while (found.length < count) found.push((await carrier.record())!);
  carrier.drop();
  return found;
}

function assertBytes(found: readonly (SessionRecord | undefined)[], sizes: readonly number[]): void {
  assert.equal(found.length, sizes.length);
  for (const [i, record] of found.entries()) {
    assert.ok(record?.type === "message" && typeof record.data !== "string");
    assert.deepEqual([...new Set(record.data)], [7]);
    assert.equal(record.data.length, sizes[i]);
  }
}

describe("bytes that a session was given to send", () => {
  for (const [name, make] of FORMS) {
    for (const kind of CARRIERS) {
      it(`are sent as they were, and again on another carrier, if they are ${name} which changes: ${kind}`, async (t) => {
        const open = (channel: Channel): void => {
          for (const size of SIZES) {
            const { bytes, spoil } = make(size);
            channel.send(bytes);
            spoil();
          }
        };
        const site = await sessionSite(t, { open });
        assertBytes(await records(t, site.endpoint, kind, SIZES.length), SIZES);
        const first = opened(await poll(t, site.endpoint));
        for (const next of CARRIERS) {
          assertBytes(await records(t, site.endpoint, next, SIZES.length, back(first, 0)), SIZES);
        }
      });
    }
  }

  it("are sent unchanged to all members of a group", async (t) => {
    const bytes = Buffer.alloc(3000, 7);
    const message = prepare(bytes);
    const site = await sessionSite(t, { open: (channel) => void channel.send(message) });
    const first = opened(await poll(t, site.endpoint));
    bytes.fill(9);
    assertBytes((await poll(t, site.endpoint, back(first, 0))).records.slice(1), [3000]);
  });
});

describe("a buffer that was transferred before it is sent", () => {
  for (const [name, make] of [
    ["an ArrayBuffer", (buffer: ArrayBuffer) => buffer],
    ["a DataView", (buffer: ArrayBuffer) => new DataView(buffer) as unknown as Uint8Array],
    ["a Uint8Array", (buffer: ArrayBuffer) => new Uint8Array(buffer)],
    ["the body of a message with its head", (buffer: ArrayBuffer) => ({ body: new Uint8Array(buffer) })],
  ] as const) {
    it(`is refused with BAD_DATA, and the next message is sent: ${name}`, async (t) => {
      const open = (channel: Channel): void => {
        const buffer = new ArrayBuffer(100);
        const body = make(buffer);
        structuredClone(buffer, { transfer: [buffer] });
        assert.throws(() => channel.send(body), { code: "BAD_DATA" });
        channel.send(new Uint8Array(100).fill(7));
      };
      const site = await sessionSite(t, { open });
      assertBytes(await records(t, site.endpoint, "websocket", 1), [100]);
    });
  }
});

describe("bytes that a session has received", () => {
  const sent = SIZES.map((size, i): SessionRecord => ({ type: "message", data: new Uint8Array(size).fill(i + 1) }));

  function keeping(): { handlers: SessionHandlers; kept: Uint8Array[] } {
    const kept: Uint8Array[] = [];
    return { kept, handlers: { message: (message) => void kept.push(message as Uint8Array) } };
  }

  function assertKept(kept: readonly Uint8Array[], rounds: number): void {
    const values = kept.map((bytes) => [bytes.length, ...new Set(bytes)]);
    const expected = SIZES.map((size, i) => [size, i + 1]);
    assert.deepEqual(values, Array.from({ length: rounds }, () => expected).flat());
  }

  it("stay unchanged on a WebSocket, whatever arrives next", async (t) => {
    const { handlers, kept } = keeping();
    const { socket } = await sessionOfSocket(t, handlers);
    for (let round = 0; round < 5; round++) {
      socket.send(...sent);
      await until(() => kept.length === (round + 1) * sent.length, "they are there");
    }
    assertKept(kept, 5);
  });

  it("stay unchanged in POSTs, whatever arrives next", async (t) => {
    const { handlers, kept } = keeping();
    const { site, session } = await sessionOfPoll(t, handlers);
    for (let round = 0; round < 5; round++) await post(t, site.endpoint, session, 1 + round * sent.length, ...sent);
    assertKept(kept, 5);
  });
});
