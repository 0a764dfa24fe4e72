import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type ForwardedField, forwardedHops, type Hop } from "../../src/codec/forwarded.ts";

const X_FORWARDED: readonly ForwardedField[] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];

/** The hops of one `Forwarded` line, nearest first. */
function forwarded(...lines: string[]): Hop[] {
  return forwardedHops(
    lines.flatMap((line) => ["Forwarded", line]),
    ["forwarded"],
  );
}

/** The hops that X-Forwarded-* give. */
function hopsOf(fields: readonly string[]): Hop[] {
  return forwardedHops(fields, X_FORWARDED);
}

function addresses(...lines: string[]): (string | null | undefined)[] {
  return forwarded(...lines).map((hop) => hop.address);
}

function hop(address: Hop["address"], scheme?: Hop["scheme"], host?: Hop["host"]): Hop {
  return { address, scheme, host };
}

describe("Forwarded (RFC 7239 §4)", () => {
  it("reads the examples of §4", () => {
    assert.deepEqual(forwarded('for="_gazonk"'), [hop(null)]);
    assert.deepEqual(forwarded('For="[2001:db8:cafe::17]:4711"'), [hop("2001:db8:cafe::17")]);
    assert.deepEqual(forwarded("for=192.0.2.60;proto=http;by=203.0.113.43"), [hop("192.0.2.60", "http")]);
    assert.deepEqual(forwarded("for=192.0.2.43, for=198.51.100.17"), [hop("198.51.100.17"), hop("192.0.2.43")]);
  });

  it("reads the example of §7.1: a list over several lines, the last of which is the nearest", () => {
    const expected = ["2001:db8:cafe::17", "192.0.2.43"];
    assert.deepEqual(addresses('for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown'), [null, ...expected]);
    assert.deepEqual(addresses("for=192.0.2.43", 'for="[2001:db8:cafe::17]", for=unknown'), [null, ...expected]);
    assert.deepEqual(addresses("for=192.0.2.43", 'for="[2001:db8:cafe::17]"', "for=unknown"), [null, ...expected]);
  });

  it("takes names and schemes in any case (§4, §5.4)", () => {
    assert.deepEqual(forwarded("FOR=192.0.2.1;Proto=HTTPS;hOST=Example.com"), [
      hop("192.0.2.1", "https", "Example.com"),
    ]);
  });

  it("takes the scheme of a WebSocket for that of its handshake", () => {
    assert.deepEqual(forwarded("proto=wss"), [hop(undefined, "https")]);
    assert.deepEqual(forwarded("proto=ws"), [hop(undefined, "http")]);
  });

  it("reads past parameters that it does not know (§5.5), and empty ones (§4)", () => {
    assert.deepEqual(forwarded(';;for=192.0.2.1;;secret="x;y,z=\\"";'), [hop("192.0.2.1")]);
    assert.deepEqual(forwarded("secret=1"), [hop(undefined)]);
  });

  it("reads past empty members of the list (RFC 9110 §5.6.1)", () => {
    assert.deepEqual(addresses(", ,for=192.0.2.1 ,\t, for=192.0.2.2, ,"), ["192.0.2.2", "192.0.2.1"]);
    assert.deepEqual(addresses(",", " "), []);
  });

  it("undoes quoted-pairs (RFC 9110 §5.6.4)", () => {
    assert.deepEqual(forwarded('host="\\e\\xample.com\\:80"'), [hop(undefined, undefined, "example.com:80")]);
  });

  it("reads the nodes of §6", () => {
    for (const [node, address] of [
      ["192.0.2.1", "192.0.2.1"],
      ['"192.0.2.1"', "192.0.2.1"],
      ['"192.0.2.1:80"', "192.0.2.1"],
      ['"192.0.2.1:_port-1"', "192.0.2.1"],
      ['"[2001:DB8::1]"', "2001:db8::1"],
      ['"[2001:db8::1]:80"', "2001:db8::1"],
      ['"[2001:db8::1]:_p"', "2001:db8::1"],
      ['"[::ffff:192.0.2.1]"', "192.0.2.1"],
      ["unknown", null],
      ["Unknown", null],
      ['"unknown:80"', null],
      ["_hidden", null],
      ["_SEVKISEK", null],
      ['"_hidden:_p"', null],
    ] as const) {
      assert.deepEqual(addresses(`for=${node}`), [address], node);
    }
  });

  const malformed: readonly [why: string, element: string][] = [
    ["an IPv6 address without brackets", 'for="2001:db8::1"'],
    ["an IPv6 address without quotes", "for=[2001:db8::1]"],
    ["an IPv4 address in brackets", 'for="[192.0.2.1]"'],
    ["a port without quotes", "for=192.0.2.1:80"],
    ["a port of six digits", 'for="192.0.2.1:123456"'],
    ["an empty port", 'for="192.0.2.1:"'],
    ["a name", "for=example.com"],
    ["an address that is none", "for=192.0.2.256"],
    ["leading zeros", "for=192.0.02.1"],
    ["a lone underscore", "for=_"],
    ["an obfuscated node with other characters", 'for="_a/b"'],
    ["an empty value", "for="],
    ["an empty quoted value", 'for=""'],
    ["no value", "for"],
    ["no name", "=192.0.2.1"],
    ["a name that is no token", "f@r=192.0.2.1"],
    ["a parameter twice (§4)", "for=192.0.2.1;for=192.0.2.2"],
    ["a parameter twice in another case", "for=192.0.2.1;FOR=192.0.2.1"],
    ["white space around =", "for = 192.0.2.1"],
    ["white space around ;", "for=192.0.2.1; proto=http"],
    ["two values", 'for=192.0.2.1"x"'],
    ["two quoted values", 'for="192.0.2.1""x"'],
    ["a quoted-string without an end", 'for="192.0.2.1'],
    ["a quoted-string without a start", 'for=192.0.2.1"'],
    ["an escaped end", 'for="192.0.2.1\\"'],
    ["a quote inside", 'for="192.0."2.1"'],
    ["a quote inside after an escaped backslash", 'secret="a\\\\"b"'],
  ];
  for (const [why, element] of malformed) {
    it(`ends before an element with ${why}`, () => {
      assert.deepEqual(addresses(element), []);
      assert.deepEqual(addresses(`for=192.0.2.7, ${element}, for=192.0.2.8`), ["192.0.2.8"]);
      assert.deepEqual(addresses("for=192.0.2.7", element, "for=192.0.2.8"), ["192.0.2.8"]);
    });
  }

  it("leaves out a scheme or host that is invalid", () => {
    assert.deepEqual(forwarded('for=192.0.2.1;proto=ftp;host="a b"'), [hop("192.0.2.1")]);
    assert.deepEqual(forwarded('for=192.0.2.1;proto=https;host="user@example.com"'), [hop("192.0.2.1", "https")]);
  });

  it("reads what the nearest proxy added to anything that a client can send", () => {
    const start = fc.constantFrom('for="', 'for="\\', 'for="a, for="', 'x="";', "for=192.0.2.1;", '"', ",", "\\", "=");
    const noise = fc.string({ unit: fc.constantFrom(...'for="\\,; \t[]:._x19'), maxLength: 30 });
    fc.assert(
      fc.property(start, noise, (text, more) => {
        for (const added of ["for=198.51.100.1", 'for="[2001:db8::1]:80";proto=https;host="example.com:80"']) {
          const [nearest] = forwarded(`${text}${more}, ${added}`);
          assert.deepEqual(nearest, forwarded(added)[0], `${text}${more}`);
        }
      }),
    );
  });

  it("gives back what was written, nearest first", () => {
    const node = fc.constantFrom<[string, string | null | undefined]>(
      ["192.0.2.1", "192.0.2.1"],
      ["[2001:db8::1]:8080", "2001:db8::1"],
      ["unknown", null],
      ["_x", null],
    );
    const secret = fc.option(fc.string({ unit: fc.constantFrom(...'ab \t",;=\\é'), maxLength: 8 }), { nil: undefined });
    const scheme = fc.constantFrom<[string, Hop["scheme"]]>(["http", "http"], ["HTTPS", "https"]);
    const host = fc.constantFrom("example.com", "[::1]:80", "a-b.c:1");
    const element = fc.record({ node, secret, scheme, host });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 5 }), fc.constantFrom(",", ", ", " ,\t"), (elements, comma) => {
        const line = elements
          .map(
            (one) =>
              `for="${one.node[0]}";proto=${one.scheme[0]}` +
              (one.secret === undefined ? "" : `;secret="${one.secret.replace(/["\\]/g, "\\$&")}"`) +
              `;host="${one.host}"`,
          )
          .join(comma);
        const expected = elements.map((one) => hop(one.node[1], one.scheme[1], one.host)).reverse();
        assert.deepEqual(forwarded(line), expected);
      }),
    );
  });
});

describe("X-Forwarded-For, -Proto and -Host", () => {
  it("are put side by side from the near end", () => {
    const fields = ["X-Forwarded-For", "192.0.2.1, 198.51.100.1", "X-Forwarded-Proto", "https, http"];
    assert.deepEqual(hopsOf([...fields, "X-Forwarded-Host", "example.com, inner:8080"]), [
      hop("198.51.100.1", "http", "inner:8080"),
      hop("192.0.2.1", "https", "example.com"),
    ]);
    assert.deepEqual(hopsOf([...fields, "X-Forwarded-Host", "example.com"]), [
      hop("198.51.100.1", "http", "example.com"),
      hop("192.0.2.1", "https"),
    ]);
  });

  it("are lists over several lines, with names in any case", () => {
    const fields = ["x-forwarded-for", "192.0.2.1,192.0.2.2", "Host", "x", "X-FORWARDED-FOR", " , 192.0.2.3"];
    assert.deepEqual(
      hopsOf(fields).map(({ address }) => address),
      ["192.0.2.3", "192.0.2.2", "192.0.2.1"],
    );
  });

  it("have addresses with and without brackets and ports", () => {
    for (const [node, address] of [
      ["192.0.2.1", "192.0.2.1"],
      ["192.0.2.1:5678", "192.0.2.1"],
      ["2001:DB8::1", "2001:db8::1"],
      ["[2001:db8::1]", "2001:db8::1"],
      ["[2001:db8::1]:443", "2001:db8::1"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["unknown", null],
      ["_hidden", null],
      ["example.com", undefined],
      ["192.0.2.1 192.0.2.2", undefined],
      ['"192.0.2.1"', undefined],
      ["1", undefined],
      ["127.1", undefined],
    ] as const) {
      assert.deepEqual(hopsOf(["X-Forwarded-For", node]), [hop(address)], node);
    }
  });

  it("say something without an address too", () => {
    assert.deepEqual(hopsOf(["X-Forwarded-Proto", "https"]), [hop(undefined, "https")]);
    assert.deepEqual(hopsOf(["X-Forwarded-Host", "example.com"]), [hop(undefined, undefined, "example.com")]);
    assert.deepEqual(hopsOf(["X-Forwarded-Proto", "http,https"]), [hop(undefined, "https")]);
  });

  it("are read where they are believed, each by itself, and no other field is", () => {
    const fields = [
      ...["X-Forwarded-For", "192.0.2.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "example.com"],
      ...["Forwarded", "for=192.0.2.2"],
    ];
    assert.deepEqual(forwardedHops(fields, ["forwarded"]), [hop("192.0.2.2")]);
    assert.deepEqual(forwardedHops(fields, ["x-forwarded-for"]), [hop("192.0.2.1")]);
    assert.deepEqual(forwardedHops(fields, ["x-forwarded-for", "x-forwarded-host"]), [
      hop("192.0.2.1", undefined, "example.com"),
    ]);
    assert.deepEqual(forwardedHops(fields, ["x-forwarded-proto"]), [hop(undefined, "https")]);
    assert.deepEqual(forwardedHops(fields, []), []);
    assert.deepEqual(hopsOf(["Forwarded", "for=192.0.2.2"]), []);
    assert.deepEqual(forwardedHops(["X-Forwarded-For", "192.0.2.1"], ["forwarded"]), []);
  });

  it("are missing from most requests", () => assert.deepEqual(hopsOf(["Host", "x"]), []));
});
