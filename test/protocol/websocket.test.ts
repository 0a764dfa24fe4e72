import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelError, type ErrorCode } from "../../src/base/errors.ts";
import { encodeMaskedFrame, FIN, OPCODE, RSV1 } from "../../src/codec/ws-frame.ts";
import { encodeClosePayload, type MessageLimits } from "../../src/codec/ws-message.ts";
import type { Compression, CompressionKey } from "../../src/protocol/compression.ts";
import { SERVER_SIDE, WebSocketConnection, type WebSocketConnectionEvent } from "../../src/protocol/websocket.ts";
import { bytesOf } from "../support/cut.ts";
import { cut, hex, toHex } from "../support/hex.ts";
import { text } from "../support/pieces.ts";

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODE;
const LIMITS: MessageLimits = { maxMessageBytes: 1000, maxFragments: 4 };
const KEY = hex("37fa213d");

/** A client's frame. */
function frame(opcode: number, payload: string | Uint8Array = "", fin = true): Uint8Array {
  return encodeMaskedFrame(opcode, typeof payload === "string" ? bytesOf(payload) : payload, KEY, fin ? FIN : 0);
}

function closeFrame(code: number, reason = ""): Uint8Array {
  const payload = Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);
  return frame(CLOSE, code === 1005 ? "" : payload);
}

function connect(...frames: Uint8Array[]): WebSocketConnection {
  const connection = new WebSocketConnection(SERVER_SIDE, LIMITS);
  for (const bytes of frames) connection.receive(bytes);
  return connection;
}

/** The written bytes, as hex. */
function taken(connection: WebSocketConnection): string {
  return toHex(bytesOf(text(connection.takeOutput())));
}

/** An event in a form that is easily compared. */
function plain(event: WebSocketConnectionEvent | undefined): unknown {
  if (event === undefined) return undefined;
  if (event.type === "closed") {
    return `closed by ${event.by} ${event.code} ${event.reason}${event.error === undefined ? "" : `, ${event.error.code}`}`;
  }
  return `${event.type} ${typeof event.data === "string" ? event.data : toHex(event.data)}`;
}

function all(connection: WebSocketConnection): unknown[] {
  const events: unknown[] = [];
  for (let event = connection.next(); event !== undefined; event = connection.next()) events.push(plain(event));
  return events;
}

describe("WebSocketConnection: messages", () => {
  it("RFC 6455 §5.6: text and binary come out as they were sent, in order", () => {
    const connection = connect(frame(TEXT, "one"), frame(BINARY, "\x02"), frame(TEXT, "Gr\xc3\xbc\xc3\x9fe"));
    assert.deepEqual(all(connection), ["message one", "message 02", "message Grüße"]);
    assert.equal(connection.outputSize, 0);
    assert.equal(connection.isOpen, true);
  });

  it("RFC 6455 §5.4: fragments are joined, control frames come between them", () => {
    const connection = connect(frame(TEXT, "a", false), frame(PONG, "p"), frame(CONTINUATION, "b"));
    assert.deepEqual(all(connection), ["pong 70", "message ab"]);
  });

  it("RFC 6455 §5.7: writes unmasked frames", () => {
    const connection = connect();
    connection.sendText("Hello");
    assert.equal(taken(connection), "810548656c6c6f");
    connection.sendText("ü");
    assert.equal(taken(connection), "8102c3bc");
    connection.sendText("");
    assert.equal(taken(connection), "8100");
    connection.sendBinary(hex("00ff"));
    assert.equal(taken(connection), "820200ff");
    connection.sendBinary(new Uint8Array(256));
    assert.equal(taken(connection), `827e0100${"00".repeat(256)}`);
    connection.sendBinary(new Uint8Array(65536));
    assert.equal(taken(connection), `827f0000000000010000${"00".repeat(65536)}`);
  });

  it("a text with a prefix leaves as the two joined would, short or long, ASCII or not", () => {
    const long = "x".repeat(5000);
    for (const text of ["Hello", "ü", "", long, `${long}ü`, "x".repeat(125), "x".repeat(65_535)]) {
      const [apart, joined] = [connect(), connect()];
      apart.sendText(text, "m");
      joined.sendText(`m${text}`);
      assert.equal(taken(apart), taken(joined));
    }
  });

  it("RFC 6455 §8.1: a lone surrogate leaves as U+FFFD", () => {
    const connection = connect();
    connection.sendText("\ud800");
    assert.equal(taken(connection), "8103efbfbd");
  });

  it("RFC 6455 §5.4: writes a message in fragments", () => {
    const connection = connect();
    connection.sendFragment(TEXT, bytesOf("Hel"), 0);
    connection.sendFragment(CONTINUATION, bytesOf(""), 0);
    connection.sendFragment(CONTINUATION, bytesOf("lo"), FIN);
    assert.equal(taken(connection), "010348656c" + "0000" + "80026c6f");
  });
});

describe("WebSocketConnection: pings", () => {
  it("RFC 6455 §5.5.2: a ping is answered with its own payload, in order with what is sent", () => {
    const connection = connect(frame(PING, "Hello"), frame(PING));
    connection.sendText("x");
    assert.deepEqual(all(connection), ["ping 48656c6c6f", "ping "]);
    assert.equal(taken(connection), "810178" + "8a0548656c6c6f" + "8a00");
  });

  it("RFC 6455 §5.5.3: a pong is not answered", () => {
    const connection = connect(frame(PONG, "late"));
    assert.deepEqual(all(connection), ["pong 6c617465"]);
    assert.equal(connection.outputSize, 0);
  });

  it("RFC 6455 §5.5: sends pings of up to 125 bytes", () => {
    const connection = connect();
    connection.ping(new Uint8Array(125));
    assert.equal(taken(connection), `897d${"00".repeat(125)}`);
    assert.throws(
      () => connection.ping(new Uint8Array(126)),
      (error) => error instanceof ChannelError && error.code === "BAD_DATA",
    );
    assert.equal(connection.outputSize, 0);
  });

  it("RFC 6455 §5.5.2: no ping is answered after our own close frame", () => {
    const connection = connect();
    connection.close(1000, "");
    taken(connection);
    connection.receive(frame(PING, "x"));
    assert.deepEqual(all(connection), []);
    assert.equal(connection.outputSize, 0);
  });
});

/** Every state and how it is reached; what is taken before the case begins is thrown away. */
const STATES = {
  open: () => connect(),
  closing: () => {
    const connection = connect();
    connection.close(4000, "bye");
    return connection;
  },
  closed: () => {
    const connection = connect(closeFrame(1000));
    connection.next();
    return connection;
  },
};

describe("WebSocketConnection: the state table", () => {
  const CASES: readonly [
    what: string,
    act: (connection: WebSocketConnection) => void,
    open: [events: string[], written: string, state: string],
    closing: [events: string[], written: string, state: string],
    closed: [events: string[], written: string, state: string],
  ][] = [
    [
      "a message arrives",
      (c) => c.receive(frame(TEXT, "m")),
      [["message m"], "", "open"],
      [[], "", "closing"],
      [[], "", "closed"],
    ],
    [
      "a ping arrives",
      (c) => c.receive(frame(PING, "p")),
      [["ping 70"], "8a0170", "open"],
      [[], "", "closing"],
      [[], "", "closed"],
    ],
    [
      "a pong arrives",
      (c) => c.receive(frame(PONG, "p")),
      [["pong 70"], "", "open"],
      [[], "", "closing"],
      [[], "", "closed"],
    ],
    [
      "a close frame arrives",
      (c) => c.receive(closeFrame(1001, "x")),
      [["closed by client 1001 x"], "880203e9", "closed"],
      [["closed by server 4000 bye"], "", "closed"],
      [[], "", "closed"],
    ],
    [
      "a broken frame arrives",
      (c) => c.receive(hex("8100")),
      [
        ["closed by server 1002 malformed WebSocket frame: a client's frame must be masked, BAD_FRAME"],
        "880203ea",
        "closed",
      ],
      [["closed by server 1002 malformed WebSocket frame: a client's frame must be masked, BAD_FRAME"], "", "closed"],
      [[], "", "closed"],
    ],
    [
      "the peer ends TCP",
      (c) => c.receiveEof(),
      [["closed by network 1006 "], "", "closed"],
      [["closed by server 4000 bye"], "", "closed"],
      [[], "", "closed"],
    ],
    ["text is sent", (c) => c.sendText("m"), [[], "81016d", "open"], [[], "", "closing"], [[], "", "closed"]],
    ["bytes are sent", (c) => c.sendBinary(hex("01")), [[], "820101", "open"], [[], "", "closing"], [[], "", "closed"]],
    [
      "a fragment is sent",
      (c) => c.sendFragment(BINARY, hex("01"), 0),
      [[], "020101", "open"],
      [[], "", "closing"],
      [[], "", "closed"],
    ],
    ["a ping is sent", (c) => c.ping(hex("01")), [[], "890101", "open"], [[], "", "closing"], [[], "", "closed"]],
    ["we close", (c) => c.close(1000, "ok"), [[], "880403e86f6b", "closing"], [[], "", "closing"], [[], "", "closed"]],
    ["the connection is aborted", (c) => c.abort(), [[], "", "closed"], [[], "", "closed"], [[], "", "closed"]],
  ];

  for (const [what, act, open, closing, closed] of CASES) {
    for (const [state, expected] of Object.entries({ open, closing, closed })) {
      it(`${what} while ${state}`, () => {
        const connection = STATES[state as keyof typeof STATES]();
        taken(connection);
        act(connection);
        const events = all(connection);
        const now = connection.isOpen ? "open" : connection.isClosed ? "closed" : "closing";
        assert.deepEqual([events, taken(connection), now], expected);
      });
    }
  }
});

describe("WebSocketConnection: the closing handshake", () => {
  it("RFC 6455 §7.1.2: ours: a close frame, then the peer's, and we were first", () => {
    const connection = connect();
    connection.close(1000, "done");
    assert.equal(taken(connection), "880603e8646f6e65");
    assert.deepEqual([connection.isOpen, connection.isClosed], [false, false]);
    connection.receive(closeFrame(1000, "done"));
    assert.deepEqual(all(connection), ["closed by server 1000 done"]);
    assert.equal(connection.isClosed, true);
    assert.equal(connection.outputSize, 0);
  });

  it("RFC 6455 §7.1.6: the code of the first close frame stands, whatever the peer answers", () => {
    for (const answer of [closeFrame(4999, "no"), closeFrame(1005)]) {
      const connection = connect();
      connection.close(1001, "going");
      connection.receive(answer);
      assert.deepEqual(all(connection), ["closed by server 1001 going"]);
    }
  });

  it("RFC 6455 §5.5.1: theirs: the code is echoed without the reason", () => {
    const codes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
    for (const code of codes) {
      const connection = connect(closeFrame(code, "why"));
      assert.deepEqual(all(connection), [`closed by client ${code} why`]);
      assert.equal(taken(connection), `8802${code.toString(16).padStart(4, "0")}`);
      assert.equal(connection.isClosed, true);
    }
  });

  it("RFC 6455 §7.1.5: a close frame without a code is 1005, answered with none", () => {
    const connection = connect(closeFrame(1005));
    assert.deepEqual(all(connection), ["closed by client 1005 "]);
    assert.equal(taken(connection), "8800");
  });

  it("RFC 6455 §7.4: a code that never stands in a frame fails the connection", () => {
    for (const code of [0, 999, 1004, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]) {
      const connection = connect(closeFrame(code));
      assert.deepEqual(all(connection), [
        `closed by server 1002 malformed WebSocket frame: close code ${code}, BAD_FRAME`,
      ]);
      assert.equal(taken(connection), "880203ea");
    }
  });

  it("RFC 6455 §5.5.1: messages that the peer sent before it saw our close frame are dropped", () => {
    const connection = connect(frame(TEXT, "before"), frame(TEXT, "unread"));
    assert.equal(plain(connection.next()), "message before");
    connection.close(1000, "");
    connection.receive(frame(TEXT, "after"));
    connection.receive(frame(PING, "ping"));
    connection.receive(closeFrame(1000));
    assert.deepEqual(all(connection), ["closed by server 1000 "]);
    assert.equal(taken(connection), "880203e8");
  });

  it("RFC 6455 §5.5.1: bytes after the peer's close frame are ignored", () => {
    const connection = connect(closeFrame(1000), frame(TEXT, "late"), hex("ffff"));
    assert.deepEqual(all(connection), ["closed by client 1000 "]);
    connection.receive(frame(TEXT, "later"));
    connection.receiveEof();
    assert.deepEqual(all(connection), []);
    assert.equal(taken(connection), "880203e8");
  });

  it("both ends close at once: each has its own code and neither answers twice", () => {
    const connection = connect(closeFrame(4001, "theirs"));
    connection.close(4002, "ours");
    assert.deepEqual(all(connection), ["closed by server 4002 ours"]);
    assert.equal(taken(connection), "88060fa26f757273");
  });

  it("a message half sent is cut off by our close frame", () => {
    const connection = connect();
    connection.sendFragment(TEXT, bytesOf("a"), 0);
    connection.close(1011, "");
    connection.sendFragment(CONTINUATION, bytesOf("b"), FIN);
    assert.equal(taken(connection), "010161" + "880203f3");
  });

  it("RFC 6455 §7.4: a code or reason that may not be sent is BAD_CLOSE and closes nothing", () => {
    const bad: readonly [number, string][] = [
      [999, ""],
      [1004, ""],
      [1005, "why"],
      [1006, ""],
      [1015, ""],
      [1016, ""],
      [2999, ""],
      [5000, ""],
      [1000.5, ""],
      [Number.NaN, ""],
      [1000, "a".repeat(124)],
      [1000, "ü".repeat(62)],
    ];
    for (const [code, reason] of bad) {
      const connection = connect();
      assert.throws(
        () => connection.close(code, reason),
        (error) => error instanceof ChannelError && error.code === "BAD_CLOSE",
      );
      assert.equal(connection.isOpen, true);
      assert.equal(connection.outputSize, 0);
    }
  });

  it("RFC 6455 §7.1.5: close without a code writes an empty close frame", () => {
    const connection = connect();
    connection.close(1005, "");
    assert.equal(taken(connection), "8800");
    connection.receive(closeFrame(1005));
    assert.deepEqual(all(connection), ["closed by server 1005 "]);
  });
});

describe("WebSocketConnection: failing the connection (RFC 6455 §7.1.7)", () => {
  const many = [frame(TEXT, "1", false), ...[2, 3, 4, 5].map((n) => frame(CONTINUATION, String(n), false))];
  const failures: readonly [ErrorCode, number, Uint8Array[]][] = [
    ["BAD_FRAME", 1002, [hex("8100")]],
    ["BAD_FRAME", 1002, [hex("c1807fffffff")]],
    ["BAD_FRAME", 1002, [frame(CONTINUATION, "x")]],
    ["BAD_UTF8", 1007, [frame(TEXT, "\xff")]],
    ["BAD_UTF8", 1007, [frame(CLOSE, "\x03\xe8\xff")]],
    ["MESSAGE_TOO_BIG", 1009, [frame(BINARY, new Uint8Array(1001))]],
    ["TOO_MANY_FRAGMENTS", 1008, many],
  ];
  for (const [code, closeCode, frames] of failures) {
    it(`${code} closes with ${closeCode}, after what came whole before it`, () => {
      const connection = connect(
        frame(TEXT, "ok"),
        ...frames.map((bytes) => Uint8Array.from(bytes)),
        frame(TEXT, "no"),
      );
      assert.equal(plain(connection.next()), "message ok");
      const event = connection.next();
      assert.equal(event?.type, "closed");
      assert.ok(event.type === "closed" && event.error instanceof ChannelError);
      assert.deepEqual(
        [event.by, event.code, event.error.code, event.reason],
        ["server", closeCode, code, event.error.message],
      );
      assert.equal(taken(connection), `8802${closeCode.toString(16).padStart(4, "0")}`);
      assert.equal(connection.isClosed, true);
      assert.deepEqual(all(connection), []);
    });
  }

  it("RFC 6455 §7.1.7: a length above the limit fails on its header, before the payload comes", () => {
    const connection = connect(frame(BINARY, new Uint8Array(1001)).subarray(0, 8));
    assert.deepEqual(all(connection), ["closed by server 1009 message exceeds maxMessageBytes, MESSAGE_TOO_BIG"]);
  });
});

describe("WebSocketConnection: the end without a handshake", () => {
  it("RFC 6455 §7.1.5: TCP ends: 1006, and the network is to blame", () => {
    const connection = connect(frame(TEXT, "last"), hex("8185"));
    connection.receiveEof();
    assert.deepEqual(all(connection), ["message last", "closed by network 1006 "]);
    assert.equal(connection.outputSize, 0);
    assert.equal(connection.isClosed, true);
  });

  it("a close frame that came before the end counts, not the end", () => {
    const connection = connect(closeFrame(1001));
    connection.receiveEof();
    assert.deepEqual(all(connection), ["closed by client 1001 "]);
  });

  it("abort answers how it ended, once", () => {
    const open = connect(frame(TEXT, "unread"));
    assert.equal(plain(open.abort()), "closed by network 1006 ");
    assert.equal(open.abort(), undefined);
    assert.deepEqual(all(open), []);

    const closing = STATES.closing();
    assert.equal(plain(closing.abort()), "closed by server 4000 bye");
    assert.equal(closing.abort(), undefined);

    assert.equal(STATES.closed().abort(), undefined);
  });
});

describe("WebSocketConnection: with a compression (RFC 7692 §6; the real one is in test/transport)", () => {
  /** "Compresses" by turning bytes round; sends what is shorter than four bytes as it is. */
  class Mirror implements Compression {
    asked: unknown[] = [];

    deflate(data: string | Uint8Array): Uint8Array | undefined {
      this.asked.push(data);
      return data.length < 4 ? undefined : Uint8Array.from(Buffer.from(data as string)).reverse();
    }

    inflate(payload: Uint8Array, maxBytes: number): Uint8Array {
      if (payload.length === 0) throw new ChannelError("BAD_DEFLATE");
      if (payload.length * 2 > maxBytes) throw new ChannelError("MESSAGE_TOO_BIG");
      return Uint8Array.from(payload).reverse();
    }

    key(): CompressionKey {
      return "dependent";
    }
  }

  const mirrored = (opcode: number, payload: string, fin = true): Uint8Array =>
    encodeMaskedFrame(opcode, bytesOf(payload), KEY, (fin ? FIN : 0) | RSV1);

  function open(...frames: Uint8Array[]): { connection: WebSocketConnection; mirror: Mirror } {
    const mirror = new Mirror();
    const connection = new WebSocketConnection(SERVER_SIDE, { ...LIMITS, compression: mirror });
    for (const bytes of frames) connection.receive(bytes);
    return { connection, mirror };
  }

  it("§6.2: a message with RSV1 is inflated as a whole, one without is not inflated", () => {
    const { connection } = open(
      mirrored(TEXT, "cba"),
      frame(TEXT, "abc"),
      mirrored(BINARY, "\x02\x01", false),
      frame(PING, "p"),
      frame(CONTINUATION, "\x00"),
    );
    assert.deepEqual(all(connection), ["message abc", "message abc", "ping 70", "message 000102"]);
  });

  it("§6.1: RSV1 and the opcode of the message stand in the head of what was compressed", () => {
    const { connection } = open();
    connection.sendText("abcd");
    connection.sendText("abc");
    connection.sendText("bcd", "a");
    connection.sendBinary(hex("01020304"));
    connection.sendFragment(TEXT, Buffer.from("abcd"), 0);
    connection.ping(Buffer.from("abcd"));
    assert.equal(
      taken(connection),
      "c10464636261" + "8103616263" + "c10464636261" + "c20404030201" + "010461626364" + "890461626364",
    );
  });

  it("its errors fail the connection, with the code that is theirs", () => {
    const bad = open(mirrored(TEXT, "")).connection;
    assert.deepEqual(all(bad).length, 1);
    assert.equal(taken(bad), "880203ef");
    const big = open(mirrored(BINARY, "x".repeat(501)), frame(TEXT, "late")).connection;
    assert.match(String(all(big)), /^closed by server 1009 [^,]*, MESSAGE_TOO_BIG$/);
    const invalid = open(mirrored(TEXT, "\xff")).connection;
    assert.match(String(all(invalid)), /^closed by server 1007 [^,]*, BAD_UTF8$/);
  });

  it("does not compress after its close frame: both ends must have the same window", () => {
    const { connection, mirror } = open();
    connection.close(1000, "");
    connection.sendText("abcd");
    connection.sendBinary(hex("01020304"));
    connection.receive(mirrored(TEXT, ""));
    assert.deepEqual(all(connection), []);
    assert.deepEqual(mirror.asked, []);
  });
});

describe("WebSocketConnection, however its input is cut", () => {
  it("answers the same events and bytes", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀"), maxLength: 20 });
    const item = fc.oneof(
      text.map((data) => frame(TEXT, Buffer.from(data))),
      fc.uint8Array({ maxLength: 130 }).map((data) => frame(BINARY, data)),
      fc
        .tuple(text, text)
        .map(([a, b]) =>
          Buffer.concat([frame(TEXT, Buffer.from(a), false), frame(PING), frame(CONTINUATION, Buffer.from(b))]),
        ),
      fc.uint8Array({ maxLength: 125 }).map((data) => frame(PING, data)),
      fc.integer({ min: 999, max: 5000 }).map((code) => closeFrame(code, "r")),
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(item, { maxLength: 6 }), fc.array(fc.nat(300)), (items, places) => {
        const bytes = Uint8Array.from(Buffer.concat(items));
        const run = (chunks: Uint8Array[]): unknown => {
          const connection = connect();
          const events: unknown[] = [];
          let written = "";
          for (const chunk of chunks) {
            connection.receive(chunk);
            events.push(...all(connection));
            written += taken(connection);
          }
          connection.receiveEof();
          events.push(...all(connection));
          assert.equal(connection.isClosed, true);
          assert.match(String(events.at(-1)), /^closed/);
          return [events, written + taken(connection)];
        };
        assert.deepEqual(run(cut(bytes, places)), run([Uint8Array.from(bytes)]));
      }),
      { numRuns: 1000 },
    );
  });

  it("a close payload that encodeClosePayload made is read back as it was", () => {
    for (const [code, reason] of [
      [1000, ""],
      [4999, "ü".repeat(61)],
      [1005, ""],
    ] as const) {
      const connection = connect(frame(CLOSE, encodeClosePayload(code, reason)));
      assert.deepEqual(all(connection), [`closed by client ${code} ${reason}`]);
    }
  });
});
