import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ChannelError } from "../../src/base/errors.ts";
import {
  type DeflateWishes,
  type ExtensionOffer,
  negotiateDeflate,
  parseExtensions,
} from "../../src/codec/ws-extensions.ts";

const APART: DeflateWishes = { contextTakeover: false, windowBits: 15 };
const TAKEOVER: DeflateWishes = { contextTakeover: true, windowBits: 15 };

/** The answer to a field of this value; undefined when nothing is agreed on. */
function answer(field: string, wishes: DeflateWishes): string | undefined {
  return negotiateDeflate(parseExtensions(field), wishes)?.answer;
}

describe("parseExtensions: RFC 6455 §9.1", () => {
  const read: [field: string, offers: ExtensionOffer[]][] = [
    ["", []],
    ["foo", [{ name: "foo", params: [] }]],
    [
      "deflate-stream, mux; max-channels=4; flow-control, x",
      [
        { name: "deflate-stream", params: [] },
        {
          name: "mux",
          params: [
            ["max-channels", "4"],
            ["flow-control", undefined],
          ],
        },
        { name: "x", params: [] },
      ],
    ],
    ["  foo ;\ta = 1 ;b\t=\t2  ", [{ name: "foo", params: [["a", "1"], ["b", "2"]] }]], // biome-ignore format: pairs
    [", ,foo,,", [{ name: "foo", params: [] }]],
    ['foo; a="10"', [{ name: "foo", params: [["a", "10"]] }]],
    ['foo; a="1\\0"', [{ name: "foo", params: [["a", "10"]] }]],
    ["foo; a; a=1; a=2", [{ name: "foo", params: [["a", undefined], ["a", "1"], ["a", "2"]] }]], // biome-ignore format: pairs
  ];
  for (const [field, offers] of read) {
    it(`reads ${JSON.stringify(field)}`, () => assert.deepEqual(parseExtensions(field), offers));
  }

  const refused = [
    "foo bar",
    "foo;",
    "foo; ;a",
    "foo; =1",
    "foo; a=",
    "foo; a=1=2",
    "foo; a b",
    "foo; a=b c",
    ";",
    "; a",
    "=",
    'foo; a="',
    'foo; a="x',
    'foo; a="x" y',
    'foo; a=x"y"',
    'foo; a=""',
    'foo; a="x,y"',
    'foo; a="x;y"',
    'foo; a="x y"',
    'foo; a="x\\',
    'foo; a="x\\"',
    'foo; a="x\\""',
    "foo\u00e9",
    "foo(bar)",
  ];
  for (const field of refused) {
    it(`refuses ${JSON.stringify(field)} with 400`, () => {
      assert.throws(() => parseExtensions(field), { code: "BAD_HANDSHAKE", status: 400 });
    });
  }

  it("gives back what was written, whatever the tokens, blanks and quotes", () => {
    const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
    const blank = fc.stringMatching(/^[ \t]{0,2}$/);
    const value = fc.option(token, { nil: undefined });
    const offer = fc.record(
      { name: token, params: fc.array(fc.tuple(token, value), { maxLength: 4 }) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(fc.array(offer, { maxLength: 4 }), blank, fc.boolean(), (offers, space, isQuoted) => {
        const quoted = (text: string): string => (isQuoted ? `"${text.replace(/./g, "\\$&")}"` : text);
        const param = ([name, value]: readonly [string, string | undefined]): string =>
          value === undefined ? name : `${name}${space}=${space}${quoted(value)}`;
        const field = offers
          .map(({ name, params }) => [name, ...params.map(param)].join(`${space};${space}`))
          .join(`${space},${space}`);
        assert.deepEqual(parseExtensions(field), offers);
      }),
    );
  });

  it("throws a ChannelError or answers, whatever it is given, in a time that grows with its length", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("a", '"', "\\", ",", ";", "=", " ", "\t", "é") }), (field) => {
        try {
          parseExtensions(field);
        } catch (error) {
          assert.ok(error instanceof ChannelError);
        }
      }),
      { numRuns: 2000 },
    );
    const begun = performance.now();
    for (const field of ["\\".repeat(1e5), `a;b="${"\\".repeat(1e5)}`, `a;b="${"x".repeat(1e5)}`, "a;b,".repeat(1e4)]) {
      try {
        parseExtensions(field);
      } catch {}
    }
    assert.ok(performance.now() - begun < 2000);
  });
});

describe("negotiateDeflate: RFC 7692 §5.1 and §7.1", () => {
  const NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
  const table: [what: string, field: string, apart: string | undefined, takeover: string | undefined][] = [
    ["the plainest offer", "permessage-deflate", NO_TAKEOVER, "permessage-deflate"],
    [
      "what Chromium and Firefox offer",
      "permessage-deflate; client_max_window_bits",
      NO_TAKEOVER,
      "permessage-deflate",
    ],
    [
      "§7.1.1.1 server_no_context_takeover must be answered",
      "permessage-deflate; server_no_context_takeover",
      NO_TAKEOVER,
      "permessage-deflate; server_no_context_takeover",
    ],
    [
      "§7.1.1.2 client_no_context_takeover may be answered",
      "permessage-deflate; client_no_context_takeover",
      NO_TAKEOVER,
      "permessage-deflate; client_no_context_takeover",
    ],
    [
      "§7.1.2.1 server_max_window_bits must be answered",
      "permessage-deflate; server_max_window_bits=10",
      `${NO_TAKEOVER}; server_max_window_bits=10`,
      "permessage-deflate; server_max_window_bits=10",
    ],
    [
      "§7.1.2.1 also when it is 15",
      "permessage-deflate; server_max_window_bits=15",
      `${NO_TAKEOVER}; server_max_window_bits=15`,
      "permessage-deflate; server_max_window_bits=15",
    ],
    [
      "§7.1.2.1 the smallest window",
      "permessage-deflate; server_max_window_bits=8",
      `${NO_TAKEOVER}; server_max_window_bits=8`,
      "permessage-deflate; server_max_window_bits=8",
    ],
    [
      "§7.1.2.2 client_max_window_bits with a value is answered where the client's window is kept",
      "permessage-deflate; client_max_window_bits=9",
      NO_TAKEOVER,
      "permessage-deflate; client_max_window_bits=9",
    ],
    [
      "all four",
      "permessage-deflate; client_max_window_bits=12; server_max_window_bits=11; client_no_context_takeover; server_no_context_takeover",
      `${NO_TAKEOVER}; server_max_window_bits=11`,
      `${NO_TAKEOVER}; server_max_window_bits=11`,
    ],
    [
      "RFC 6455 §9.1 a quoted value",
      'permessage-deflate; server_max_window_bits="10"',
      `${NO_TAKEOVER}; server_max_window_bits=10`,
      "permessage-deflate; server_max_window_bits=10",
    ],
    [
      "§5.1 the first of two",
      "permessage-deflate; server_max_window_bits=9, permessage-deflate",
      `${NO_TAKEOVER}; server_max_window_bits=9`,
      "permessage-deflate; server_max_window_bits=9",
    ],
    [
      "§7.1.3 the next after one that must be declined",
      "permessage-deflate; server_max_window_bits=7, x-other, permessage-deflate; server_no_context_takeover",
      NO_TAKEOVER,
      "permessage-deflate; server_no_context_takeover",
    ],
    ["another extension", "x-webkit-deflate-frame", undefined, undefined],
    ["no offer", "", undefined, undefined],
    ["another case: names are as registered", "Permessage-Deflate", undefined, undefined],
  ];
  for (const [what, field, apart, takeover] of table) {
    it(`${what}: ${field}`, () => {
      assert.equal(answer(field, APART), apart);
      assert.equal(answer(field, TAKEOVER), takeover);
    });
  }

  const declined = [
    "unknown",
    "unknown=1",
    "server_no_context_takeover=true",
    "client_no_context_takeover=1",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    "server_max_window_bits=010",
    "server_max_window_bits=1e1",
    "server_max_window_bits=+9",
    "server_max_window_bits=10.0",
    "server_max_window_bits=ten",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=09",
    "Server_Max_Window_Bits=10",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "server_max_window_bits=10; server_max_window_bits=10",
    "client_max_window_bits; client_max_window_bits=10",
  ];
  for (const params of declined) {
    it(`§7.1.3 declines ${params}`, () => {
      assert.equal(answer(`permessage-deflate; ${params}`, APART), undefined);
      assert.equal(answer(`permessage-deflate; ${params}`, TAKEOVER), undefined);
      assert.equal(answer(`permessage-deflate; ${params}, permessage-deflate`, TAKEOVER), "permessage-deflate");
    });
  }

  it("a server that wants a smaller window says so of its own, and of the client's if the client knows the word", () => {
    const wishes = { contextTakeover: true, windowBits: 12 };
    assert.equal(
      answer("permessage-deflate", wishes),
      "permessage-deflate; client_no_context_takeover; server_max_window_bits=12",
    );
    assert.equal(
      answer("permessage-deflate; client_max_window_bits", wishes),
      "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
    );
    assert.equal(
      answer("permessage-deflate; client_max_window_bits=10; server_max_window_bits=14", wishes),
      "permessage-deflate; server_max_window_bits=12; client_max_window_bits=10",
    );
    assert.deepEqual(negotiateDeflate(parseExtensions("permessage-deflate"), wishes)?.parameters, {
      serverNoContextTakeover: false,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 12,
      clientMaxWindowBits: 15,
    });
  });

  it("a client that cannot be told a smaller window takes nothing over, so that no 32 KiB are kept for it", () => {
    const small = negotiateDeflate(parseExtensions("permessage-deflate"), { contextTakeover: true, windowBits: 13 });
    assert.equal(small?.parameters.clientNoContextTakeover, true);
    const full = negotiateDeflate(parseExtensions("permessage-deflate"), { contextTakeover: true, windowBits: 15 });
    assert.equal(full?.parameters.clientNoContextTakeover, false);
  });

  it("§5.1: every answer is one that the offer allows", () => {
    const bits = fc.option(fc.integer({ min: 8, max: 15 }), { nil: undefined });
    const offer = fc.record({
      serverApart: fc.boolean(),
      clientApart: fc.boolean(),
      serverBits: bits,
      clientBits: fc.oneof(bits, fc.constant(true as const)),
    });
    const wishes = fc.record({ contextTakeover: fc.boolean(), windowBits: fc.integer({ min: 8, max: 15 }) });
    fc.assert(
      fc.property(offer, wishes, ({ serverApart, clientApart, serverBits, clientBits }, wanted) => {
        const params = [
          ...(serverApart ? ["server_no_context_takeover"] : []),
          ...(clientApart ? ["client_no_context_takeover"] : []),
          ...(serverBits === undefined ? [] : [`server_max_window_bits=${serverBits}`]),
          ...(clientBits === undefined
            ? []
            : [clientBits === true ? "client_max_window_bits" : `client_max_window_bits=${clientBits}`]),
        ];
        const agreement = negotiateDeflate(parseExtensions(["permessage-deflate", ...params].join(";")), wanted)!;
        const answered = new Map(parseExtensions(agreement.answer)[0]!.params);
        if (serverApart) assert.ok(answered.has("server_no_context_takeover"));
        if (serverBits !== undefined) assert.ok(Number(answered.get("server_max_window_bits")) <= serverBits);
        if (clientBits === undefined) assert.ok(!answered.has("client_max_window_bits"));
        if (typeof clientBits === "number" && answered.has("client_max_window_bits")) {
          assert.ok(Number(answered.get("client_max_window_bits")) <= clientBits);
        }
        // The server does as its answer says.
        assert.deepEqual(agreement.parameters, {
          serverNoContextTakeover: answered.has("server_no_context_takeover"),
          clientNoContextTakeover: answered.has("client_no_context_takeover"),
          serverMaxWindowBits: Number(answered.get("server_max_window_bits") ?? 15),
          clientMaxWindowBits: Number(answered.get("client_max_window_bits") ?? 15),
        });
      }),
    );
  });
});
