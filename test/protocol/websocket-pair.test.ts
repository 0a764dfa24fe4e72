// A client's side and a server's side of WebSocketConnection talk to each other; what each sends arrives in any cuts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeFrameHead, encodeMaskedFrame, FIN, OPCODE } from "../../src/codec/ws-frame.ts";
import { EncodedMessage } from "../../src/protocol/encoded-message.ts";
import { bodyMessage } from "../../src/protocol/outbound-message.ts";
import {
  clientSide,
  SERVER_SIDE,
  type WebSocketClosed,
  WebSocketConnection,
  type WebSocketSide,
} from "../../src/protocol/websocket.ts";
import { bytesOf } from "../support/cut.ts";
import { hex, toHex } from "../support/hex.ts";
import { text } from "../support/pieces.ts";

const LIMITS = { maxMessageBytes: 1_000_000, maxFragments: 64 };
const { CONTINUATION, TEXT, BINARY } = OPCODE;

type Name = WebSocketSide["name"];

/** A connection, what it was told, and the bytes that are on their way to it. */
class End {
  readonly connection: WebSocketConnection;
  readonly events: string[] = [];
  closed: WebSocketClosed | undefined;
  /** True when this end has ended its direction of the TCP connection. */
  hasEnded = false;
  /** Sent by the other end and not received yet. */
  wire = "";
  sees = { eof: false };

  constructor(side: WebSocketSide) {
    this.connection = new WebSocketConnection(side, LIMITS);
  }

  take(): void {
    for (let event = this.connection.next(); event !== undefined; event = this.connection.next()) {
      if (event.type === "closed") {
        assert.equal(this.closed, undefined, "one end only");
        this.closed = event;
      } else {
        const data = typeof event.data === "string" ? event.data : toHex(event.data);
        this.events.push(`${event.type} ${data}`);
      }
    }
  }
}

class Pair {
  readonly client: End;
  readonly server = new End(SERVER_SIDE);
  /** Sent while the sender was open. */
  readonly sent: Record<Name, string[]> = { client: [], server: [] };
  /** The end that ended TCP first. */
  endedFirst: Name | undefined;
  #keys = 1;

  constructor() {
    this.client = new End(clientSide(() => Uint8Array.of(this.#keys++ & 0xff, 0x5a, 0xff, 0x01)));
  }

  /** Puts what an end has written, and the end of its TCP, on the wire. */
  settle(name: Name): void {
    const [end, other] = this.ends(name);
    end.take();
    const output = end.connection.takeOutput();
    if (output !== undefined) {
      assert.equal(end.hasEnded, false, "nothing is written after the end of TCP");
      other.wire += text(output);
    }
    if (!end.hasEnded && end.closed !== undefined && (end.closed.endsTcp || end.sees.eof)) {
      end.hasEnded = true;
      this.endedFirst ??= name;
    }
  }

  /** Lets an end receive so many bytes, or the end of TCP where there are none. */
  receive(name: Name, bytes: number): boolean {
    const [end, other] = this.ends(name);
    if (end.wire !== "") {
      end.connection.receive(bytesOf(end.wire.slice(0, bytes)));
      end.wire = end.wire.slice(bytes);
    } else if (other.hasEnded && !end.sees.eof) {
      end.sees.eof = true;
      end.connection.receiveEof();
    } else return false;
    this.settle(name);
    return true;
  }

  ends(name: Name): [End, End] {
    return name === "client" ? [this.client, this.server] : [this.server, this.client];
  }
}

const name = fc.constantFrom<Name>("client", "server");
const data = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀"), maxLength: 50 }),
  fc.constantFrom(126, 5000, 65_536).map((length) => "x".repeat(length)),
);
const action = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("text" as const), name, data }) },
  fc.record({ type: fc.constant("binary" as const), name, data: fc.uint8Array({ maxLength: 200 }) }),
  fc.record({ type: fc.constant("fragments" as const), name, parts: fc.array(data, { minLength: 2, maxLength: 3 }) }),
  fc.record({ type: fc.constant("encoded" as const), name, data }),
  fc.record({ type: fc.constant("ping" as const), name, data: fc.uint8Array({ maxLength: 125 }) }),
  fc.record({
    type: fc.constant("close" as const),
    name,
    code: fc.constantFrom(1000, 1001, 1005, 3000, 4000, 4999),
  }),
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("receive" as const), name, bytes: fc.integer({ min: 1, max: 4000 }) }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

function perform(pair: Pair, step: Action): void {
  if (step.type === "receive") {
    pair.receive(step.name, step.bytes);
    return;
  }
  const [{ connection }] = pair.ends(step.name);
  const sent = connection.isOpen ? pair.sent[step.name] : [];
  if (step.type === "text") {
    connection.sendText(step.data);
    sent.push(`message ${step.data}`);
  } else if (step.type === "binary") {
    connection.sendBinary(Uint8Array.from(step.data));
    sent.push(`message ${toHex(step.data)}`);
  } else if (step.type === "encoded") {
    connection.sendEncoded(new EncodedMessage(bodyMessage(step.data)));
    sent.push(`message ${step.data}`);
  } else if (step.type === "fragments") {
    step.parts.forEach((part, at) => {
      const isLast = at === step.parts.length - 1;
      connection.sendFragment(at === 0 ? TEXT : CONTINUATION, Buffer.from(part), isLast ? FIN : 0);
    });
    sent.push(`message ${step.parts.join("")}`);
  } else if (step.type === "ping") {
    connection.ping(step.data);
    sent.push(`ping ${toHex(step.data)}`);
  } else connection.close(step.code, step.code === 1005 ? "" : `said by the ${step.name}`);
  pair.settle(step.name);
}

/** Both ends receive all that is on its way, and all that this makes them send. */
function deliverAll(pair: Pair): void {
  while (pair.receive("client", 1000) || pair.receive("server", 1000));
}

describe("A client's and a server's WebSocketConnection", () => {
  it("agree on messages, close code and reason for all cuts, and closes from either side at any moment", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), name, (actions, closer) => {
        const pair = new Pair();
        const closes = new Set<Name>();
        for (const step of actions) {
          if (step.type === "close" && pair.ends(step.name)[0].connection.isOpen) closes.add(step.name);
          perform(pair, step);
        }
        deliverAll(pair);
        if (closes.size === 0) {
          closes.add(closer);
          perform(pair, { type: "close", name: closer, code: 4000 });
          deliverAll(pair);
        }
        const { client, server } = pair;
        assert.ok(client.closed !== undefined && server.closed !== undefined);
        for (const [own, end] of Object.entries({ client, server })) {
          assert.equal(end.closed!.error, undefined);
          assert.equal(end.connection.isClosed, true);
          assert.ok(end.closed!.received, `the ${own} has received a close frame`);
          const got = end.events.filter((event) => !event.startsWith("pong"));
          const peerSent = pair.sent[own === "client" ? "server" : "client"];
          // A side drops what arrives after its own close frame; everything before arrives, in order.
          assert.deepEqual(got, closes.has(own as Name) ? peerSent.slice(0, got.length) : peerSent);
        }
        const how = ({ closed }: End) => [closed!.by, closed!.code, closed!.reason];
        if (closes.size === 1) assert.deepEqual(how(client), how(server));
        // The close frames have crossed: each side has its own, and has received the other's.
        else {
          assert.deepEqual([client.closed.by, server.closed.by], ["client", "server"]);
          assert.deepEqual(client.closed.received, { code: server.closed.code, reason: server.closed.reason });
          assert.deepEqual(server.closed.received, { code: client.closed.code, reason: client.closed.reason });
        }
        assert.equal(pair.endedFirst, "server", "RFC 6455 §7.1.1: the server ends TCP first");
        assert.deepEqual([client.hasEnded, server.hasEnded], [true, true]);
      }),
      { numRuns: 500 },
    );
  });

  it("RFC 6455 §5.3: each frame of a client has a key of its own", () => {
    const { client } = new Pair();
    client.connection.sendText("Hi");
    client.connection.sendBinary(hex("00"));
    client.connection.ping(hex(""));
    client.connection.close(1000, "");
    const expected = [
      encodeMaskedFrame(TEXT, bytesOf("Hi"), hex("015aff01")),
      encodeMaskedFrame(BINARY, hex("00"), hex("025aff01")),
      encodeMaskedFrame(OPCODE.PING, hex(""), hex("035aff01")),
      encodeMaskedFrame(OPCODE.CLOSE, hex("03e8"), hex("045aff01")),
    ];
    assert.equal(toHex(bytesOf(text(client.connection.takeOutput()))), toHex(Buffer.concat(expected)));
  });

  const unmasked = Uint8Array.from([...bytesOf(encodeFrameHead(TEXT, 2)), 0x48, 0x69]);
  for (const [side, wrong, detail] of [
    ["client", encodeMaskedFrame(TEXT, bytesOf("Hi"), hex("01020304")), "a server's frame must not be masked"],
    ["server", unmasked, "a client's frame must be masked"],
  ] as const) {
    it(`RFC 6455 §5.1: a ${side} fails the connection with 1002 for a frame that only a ${side} may send`, () => {
      const [end] = new Pair().ends(side);
      end.connection.receive(Uint8Array.from(wrong));
      end.take();
      assert.deepEqual(
        [end.closed?.by, end.closed?.code, end.closed?.error?.code, end.closed?.reason, end.closed?.received],
        [side, 1002, "BAD_FRAME", `malformed WebSocket frame: ${detail}`, undefined],
      );
      // §7.1.7: either side ends TCP after it has failed the connection.
      assert.equal(end.closed?.endsTcp, true);
      const close = side === "server" ? hex("880203ea") : encodeMaskedFrame(OPCODE.CLOSE, hex("03ea"), hex("015aff01"));
      assert.equal(toHex(bytesOf(text(end.connection.takeOutput()))), toHex(close));
    });
  }

  it("RFC 6455 §7.1.5: a connection that is lost is closed by the network with 1006 at both ends", () => {
    const pair = new Pair();
    for (const end of [pair.client, pair.server]) {
      end.connection.receiveEof();
      end.take();
      assert.deepEqual(
        [end.closed?.by, end.closed?.code, end.closed?.received, end.closed?.endsTcp],
        ["network", 1006, undefined, true],
      );
    }
  });
});
