import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressBytes, ipv4Text, ipv6Text, isIpv4, isIpv6, toAddress } from "../../src/codec/ip-address.ts";
import { hex } from "../support/hex.ts";

describe("IPv4 addresses (RFC 3986 §3.2.2)", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "255.255.255.255"]) {
    it(`are like ${text}`, () => assert.ok(isIpv4(text)));
  }

  for (const text of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "1.2.3.",
    "0x7f.0.0.1",
    "1.2.3.4 ",
    "+1.2.3.4",
  ]) {
    it(`are not like ${JSON.stringify(text)}`, () => assert.ok(!isIpv4(text)));
  }
});

describe("IPv6 addresses (RFC 3986 §3.2.2)", () => {
  for (const text of ["::", "::1", "1::", "2001:db8::17", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1", "64:FF9B::1.2.3.4"]) {
    it(`are like ${text}`, () => assert.ok(isIpv6(text)));
  }

  for (const text of [
    "",
    ":",
    "1:2:3:4:5:6:7",
    "1::2::3",
    "12345::",
    "::1.2.3",
    "fe80::1%eth0",
    "[::1]",
    "1.2.3.4::",
  ]) {
    it(`are not like ${JSON.stringify(text)}`, () => assert.ok(!isIpv6(text)));
  }

  it("are what Node takes for them, but for zones", () => {
    const part = fc.constantFrom("0", "1", "ffff", "abcd", "12345", "", ":", "::", "1.2.3.4", "g");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 9 }), (parts) => {
        const text = parts.join(":");
        assert.equal(isIpv6(text), isIP(text) === 6, text);
      }),
    );
  });
});

describe("the text of an address", () => {
  it("is in lower case", () => assert.equal(toAddress("2001:DB8::17"), "2001:db8::17"));

  it("is the IPv4 address of an IPv4-mapped one (RFC 4291 §2.5.5.2)", () => {
    assert.equal(toAddress("::FFFF:192.0.2.1"), "192.0.2.1");
    assert.equal(toAddress("::ffff:c000:201"), "::ffff:c000:201");
  });

  it("is not that of a name", () => assert.equal(toAddress("localhost"), undefined));

  it("the text of four bytes has dots", () => assert.equal(ipv4Text(hex("00 c0000201"), 1), "192.0.2.1"));

  const printed: readonly [bytes: string, text: string, why: string][] = [
    ["20010db8 00000000 00000000 00000001", "2001:db8::1", "§4.2.1: as short as possible"],
    ["20010db8 00000001 00010001 00010001", "2001:db8:0:1:1:1:1:1", "§4.2.2: one zero group is not shortened"],
    ["20010000 00000001 00000000 00000001", "2001:0:0:1::1", "§4.2.3: the longest run"],
    ["20010db8 00000000 00010000 00000001", "2001:db8::1:0:0:1", "§4.2.3: the first of equal runs"],
    [
      "20010DB8 AAAABBBB CCCCDDDD EEEE0AAA",
      "2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaa",
      "§4.3: lower case, §4.1: no zeros",
    ],
    ["00000000 00000000 00000000 00000000", "::", "nothing but zeros"],
    ["00000000 00000000 00000000 00000001", "::1", "a run at the start"],
    ["fe800000 00000000 00000000 00000000", "fe80::", "a run at the end"],
    ["00000000 00000000 0000ffff c0000201", "192.0.2.1", "IPv4-mapped"],
  ];
  for (const [bytes, text, why] of printed) {
    it(`the text of sixteen bytes is ${text} (RFC 5952 ${why})`, () => assert.equal(ipv6Text(hex(bytes), 0), text));
  }

  it("the text of any sixteen bytes is the same as that of Node's URL", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 0xab), { minLength: 16, maxLength: 16 }), (values) => {
        const text = ipv6Text(Uint8Array.from(values), 0);
        assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
      }),
    );
  });
});

describe("the bytes of an address", () => {
  for (const [text, expected] of [
    ["192.0.2.255", "c00002ff"],
    ["0.0.0.0", "00000000"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["1::", "00010000000000000000000000000000"],
    ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
    ["64:ff9b::192.0.2.33", "0064ff9b0000000000000000c0000221"],
    ["1:2:3:4:5:6:192.0.2.1", "000100020003000400050006c0000201"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["FE80::ABCD", "fe80000000000000000000000000abcd"],
  ] as const) {
    it(`of ${text} are ${expected}`, () => {
      assert.equal(Buffer.from(addressBytes(text) ?? []).toString("hex"), expected);
    });
  }

  it("are undefined for a name, and for anything malformed", () => {
    for (const text of ["", "localhost", "1.2.3", "256.1.1.1", "1:2", ":::", "g::", "192.0.2.1:80", "[::1]"]) {
      assert.equal(addressBytes(text), undefined, text);
    }
  });
});
