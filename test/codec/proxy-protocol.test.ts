// The sections are those of haproxy's doc/proxy-protocol.txt.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ipv6Text } from "../../src/codec/ip-address.ts";
import {
  encodeProxyHeader,
  extensionsOf,
  ProxyProtocolDecoder,
  type ProxyProtocolHeader,
} from "../../src/codec/proxy-protocol.ts";
import { bytesOf, cutAt, cutEverywhere, oneByOne } from "../support/cut.ts";
import { hex } from "../support/hex.ts";

const SIGNATURE = "0d0a0d0a 000d0a51 5549540a";
const REQUEST = "GET / HTTP/1.1\r\n\r\n";
const BAD = { name: "ChannelError", code: "BAD_REQUEST", status: 400 };

/** Decodes these chunks to the header and all bytes after it. */
function decode(chunks: Iterable<Uint8Array>): { header: ProxyProtocolHeader | undefined; rest: string } {
  const decoder = new ProxyProtocolDecoder();
  let header: ProxyProtocolHeader | undefined;
  let rest = "";
  for (const chunk of chunks) {
    if (header === undefined) {
      decoder.push(chunk);
      header = decoder.next();
      if (header !== undefined) rest += Buffer.from(decoder.takeRest() ?? []).toString("latin1");
    } else {
      rest += Buffer.from(chunk).toString("latin1");
    }
  }
  return { header, rest };
}

function fromText(text: string): ProxyProtocolHeader | undefined {
  return decode([bytesOf(text)]).header;
}

function fromHex(text: string): ProxyProtocolHeader | undefined {
  return decode([hex(text)]).header;
}

/** Every cut gives the header and, whole and untouched, what follows it. */
function assertEverywhere(bytes: Uint8Array, header: ProxyProtocolHeader, rest: string): void {
  for (const chunks of cutEverywhere(bytes)) assert.deepEqual(decode(chunks), { header, rest });
}

describe("the PROXY line (§2.1)", () => {
  it("the specification's example is read, wherever it is cut", () => {
    assertEverywhere(
      bytesOf(`PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n${REQUEST}`),
      {
        sourceAddress: "192.168.0.1",
        sourcePort: 56324,
        destinationAddress: "192.168.0.11",
        destinationPort: 443,
      },
      REQUEST,
    );
  });

  it("a line for TCP over IPv6 is read, in lower case", () => {
    assertEverywhere(
      bytesOf(`PROXY TCP6 2001:DB8::1 ::1 0 65535\r\n${REQUEST}`),
      { sourceAddress: "2001:db8::1", sourcePort: 0, destinationAddress: "::1", destinationPort: 65535 },
      REQUEST,
    );
  });

  it("may be as long as the longest addresses make it: 56 and 104 bytes", () => {
    const v4 = "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n";
    const address = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    const v6 = `PROXY TCP6 ${address} ${address} 65535 65535\r\n`;
    assert.deepEqual([v4.length, v6.length], [56, 104]);
    assert.equal((fromText(v4) as { sourceAddress: string }).sourceAddress, "255.255.255.255");
    assert.equal((fromText(v6) as { sourceAddress: string }).sourceAddress, address);
  });

  it("may say UNKNOWN, and whatever it likes after it", () => {
    assertEverywhere(bytesOf(`PROXY UNKNOWN\r\n${REQUEST}`), "unknown", REQUEST);
    assertEverywhere(bytesOf("PROXY UNKNOWN ffff::1 anything 1 2 3\r\n"), "unknown", "");
  });

  it("may have 107 bytes and not 108", () => {
    const line = (length: number): string => `PROXY UNKNOWN ${"x".repeat(length - 16)}\r\n`;
    assert.equal(line(107).length, 107);
    assertEverywhere(bytesOf(line(107) + REQUEST), "unknown", REQUEST);
    assert.throws(() => fromText(line(108)), BAD);
  });

  it("is refused at byte 107 when it has no end, not later", () => {
    const decoder = new ProxyProtocolDecoder();
    decoder.push(bytesOf("PROXY TCP4 ".padEnd(106, "1")));
    assert.equal(decoder.next(), undefined);
    decoder.push(bytesOf("1"));
    assert.throws(() => decoder.next(), BAD);
  });

  const malformed: readonly [why: string, line: string][] = [
    ["a name (addresses are numeric)", "PROXY TCP4 localhost 127.0.0.1 1 2\r\n"],
    ["a name as its destination", "PROXY TCP4 127.0.0.1 example.com 1 2\r\n"],
    ["leading zeros in an address", "PROXY TCP4 127.0.0.01 127.0.0.1 1 2\r\n"],
    ["three octets", "PROXY TCP4 127.0.1 127.0.0.1 1 2\r\n"],
    ["an octet of 256", "PROXY TCP4 127.0.0.256 127.0.0.1 1 2\r\n"],
    ["an IPv6 address with TCP4", "PROXY TCP4 ::1 127.0.0.1 1 2\r\n"],
    ["an IPv4 address with TCP6", "PROXY TCP6 127.0.0.1 ::1 1 2\r\n"],
    ["two double colons", "PROXY TCP6 1::2::3 ::1 1 2\r\n"],
    ["an address with a zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"],
    ["a port above 65535", "PROXY TCP4 127.0.0.1 127.0.0.1 65536 2\r\n"],
    ["a port with a leading zero", "PROXY TCP4 127.0.0.1 127.0.0.1 080 2\r\n"],
    ["a port with a sign", "PROXY TCP4 127.0.0.1 127.0.0.1 +80 2\r\n"],
    ["a negative port", "PROXY TCP4 127.0.0.1 127.0.0.1 1 -2\r\n"],
    ["no destination port", "PROXY TCP4 127.0.0.1 127.0.0.1 1\r\n"],
    ["something after the ports", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2 3\r\n"],
    ["a space at the end", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2 \r\n"],
    ["two spaces", "PROXY  TCP4 127.0.0.1 127.0.0.1 1 2\r\n"],
    ["a tab", "PROXY TCP4\t127.0.0.1 127.0.0.1 1 2\r\n"],
    ["another protocol", "PROXY UDP4 127.0.0.1 127.0.0.1 1 2\r\n"],
    ["its protocol in lower case", "PROXY tcp4 127.0.0.1 127.0.0.1 1 2\r\n"],
    ["UNKNOWN with more letters", "PROXY UNKNOWNS\r\n"],
    ["nothing in it", "PROXY \r\n"],
    ["an end without CR", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\n"],
    ["CR CR LF", "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\r\n"],
    ["a CR in the middle", "PROXY TCP4 127.0.0.1\r127.0.0.1 1 2\r\n"],
    ["a request of that method", "PROXY / HTTP/1.1\r\n"],
  ];
  for (const [why, line] of malformed) {
    it(`is refused with ${why}, wherever it is cut`, () => {
      for (const chunks of cutEverywhere(bytesOf(line))) assert.throws(() => decode(chunks), BAD);
    });
  }
});

describe("the binary PROXY header (§2.2)", () => {
  it("a header for TCP over IPv4 is read, wherever it is cut", () => {
    const bytes = [hex(`${SIGNATURE} 21 11 000c c0000201 c6336402 dc04 01bb`), bytesOf(REQUEST)];
    assertEverywhere(
      Buffer.concat(bytes),
      { sourceAddress: "192.0.2.1", sourcePort: 56324, destinationAddress: "198.51.100.2", destinationPort: 443 },
      REQUEST,
    );
  });

  it("a header for TCP over IPv6 is read", () => {
    const addresses = "20010db8000000000000000000000001 00000000000000000000000000000001";
    assertEverywhere(
      hex(`${SIGNATURE} 21 21 0024 ${addresses} 0050 1f90`),
      { sourceAddress: "2001:db8::1", sourcePort: 80, destinationAddress: "::1", destinationPort: 8080 },
      "",
    );
  });

  it("an IPv4-mapped source has its IPv4 address", () => {
    const addresses = "00000000000000000000ffffc0000201 00000000000000000000ffffc0000202";
    const header = fromHex(`${SIGNATURE} 21 21 0024 ${addresses} 0050 1f90`);
    assert.equal((header as { sourceAddress: string }).sourceAddress, "192.0.2.1");
  });

  it("is skipped over with all that follows its addresses (TLVs)", () => {
    // PP2_TYPE_NOOP with three bytes, and something that is no TLV at all.
    const bytes = [hex(`${SIGNATURE} 21 11 0013 c0000201 c6336402 dc04 01bb 04 0003 ffffff ff`), bytesOf(REQUEST)];
    const { header, rest } = decode([Buffer.concat(bytes)]);
    assert.equal((header as { sourceAddress: string }).sourceAddress, "192.0.2.1");
    assert.equal(rest, REQUEST);
  });

  it("LOCAL is the proxy's own connection, whatever its addresses", () => {
    assertEverywhere(hex(`${SIGNATURE} 20 00 0000`), "local", "");
    assertEverywhere(hex(`${SIGNATURE} 20 11 000c c0000201 c6336402 dc04 01bb`), "local", "");
    assertEverywhere(hex(`${SIGNATURE} 20 ff 0003 010203`), "local", "");
  });

  for (const [family, name, length] of [
    ["00", "UNSPEC", 0],
    ["12", "UDP over IPv4", 12],
    ["22", "UDP over IPv6", 36],
    ["31", "a Unix socket", 216],
    ["32", "a Unix datagram socket", 216],
  ] as const) {
    it(`a header for ${name} has a client without an IP address`, () => {
      const bytes = hex(`${SIGNATURE} 21 ${family} ${length.toString(16).padStart(4, "0")} ${"2f".repeat(length)}`);
      assertEverywhere(Buffer.concat([bytes, bytesOf(REQUEST)]), "unknown", REQUEST);
    });
  }

  const malformed: readonly [why: string, bytes: string][] = [
    ["version 1", `${SIGNATURE} 11 11 000c c0000201 c6336402 dc04 01bb`],
    ["version 3", `${SIGNATURE} 31 11 000c c0000201 c6336402 dc04 01bb`],
    ["an unknown command", `${SIGNATURE} 22 11 000c c0000201 c6336402 dc04 01bb`],
    ["an unknown family", `${SIGNATURE} 21 41 000c c0000201 c6336402 dc04 01bb`],
    ["an unknown transport", `${SIGNATURE} 21 13 000c c0000201 c6336402 dc04 01bb`],
    ["less than its addresses", `${SIGNATURE} 21 11 000b c0000201 c6336402 dc04 01`],
    ["an IPv4 block for IPv6", `${SIGNATURE} 21 21 000c c0000201 c6336402 dc04 01bb`],
    ["a Unix socket's name cut short", `${SIGNATURE} 21 31 0004 2f746d70`],
  ];
  for (const [why, bytes] of malformed) {
    it(`is refused with ${why}, wherever it is cut`, () => {
      for (const chunks of cutEverywhere(hex(bytes))) assert.throws(() => decode(chunks), BAD);
    });
  }

  it("may have 4096 bytes", () => {
    const bytes = Buffer.alloc(4096);
    bytes.set(hex(`${SIGNATURE} 21 11 0ff0 c0000201 c6336402 dc04 01bb`));
    const { header, rest } = decode(oneByOne(Buffer.concat([bytes, bytesOf(REQUEST)])));
    assert.equal((header as { sourceAddress: string }).sourceAddress, "192.0.2.1");
    assert.equal(rest, REQUEST);
  });

  for (const length of ["0ff1", "ffff"]) {
    it(`is refused when it announces more (${length}), before it comes`, () => {
      assert.throws(() => fromHex(`${SIGNATURE} 21 11 ${length}`), BAD);
      assert.throws(() => fromHex(`${SIGNATURE} 20 00 ${length}`), BAD);
    });
  }

  it("is refused at the byte that is wrong, not later", () => {
    assert.throws(() => fromHex(`${SIGNATURE} 41`), BAD);
    assert.equal(fromHex(`${SIGNATURE} 21`), undefined);
    assert.throws(() => fromHex(`${SIGNATURE} 21 77 0000`), BAD);
  });

  it("gives any address back, wherever it is cut", () => {
    const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const port = fc.nat(65_535);
    fc.assert(
      fc.property(address, address, port, port, fc.array(fc.nat(60)), (source, destination, from, to, places) => {
        const ports = Buffer.alloc(4);
        ports.writeUInt16BE(from);
        ports.writeUInt16BE(to, 2);
        const bytes = Buffer.concat([hex(`${SIGNATURE} 21 21 0024`), source, destination, ports, bytesOf(REQUEST)]);
        assert.deepEqual(decode(cutAt(bytes, places)), {
          header: {
            sourceAddress: ipv6Text(source, 0),
            sourcePort: from,
            destinationAddress: ipv6Text(destination, 0),
            destinationPort: to,
          },
          rest: REQUEST,
        });
      }),
    );
  });
});

describe("a connection without a PROXY header", () => {
  const others = [
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",

    "PROXYTCP4",
    "proxy TCP4",
    "\r\nGET /",
    "\r\n\r\nGET",
  ];
  for (const text of others) {
    it(`is known as one by ${JSON.stringify(text)}, and nothing of it is lost`, () => {
      for (const chunks of cutEverywhere(bytesOf(text)))
        assert.deepEqual(decode(chunks), { header: "absent", rest: text });
    });
  }

  it("is not decided while it could still become one", () => {
    for (const start of ["", "P", "PROXY", "\r\n\r\n\0\r\nQUIT"]) assert.equal(fromText(start), undefined, start);
  });

  it("returns all bytes when the connection ends in the header", () => {
    const decoder = new ProxyProtocolDecoder();
    decoder.push(bytesOf("PRO"));
    assert.equal(decoder.next(), undefined);
    assert.deepEqual(decoder.takeRest(), bytesOf("PRO"));
    assert.equal(decoder.takeRest(), undefined);
  });

  it("never makes the decoder fail in any other way than BAD_REQUEST", () => {
    const start = fc.constantFrom(
      "",
      "PROXY ",
      "PROXY TCP4 1.2.3.4 ",
      "\r\n\r\n\0\r\nQUIT\n",
      "\r\n\r\n\0\r\nQUIT\n\x21\x11",
    );
    fc.assert(
      fc.property(start, fc.uint8Array({ maxLength: 200 }), (text, bytes) => {
        try {
          decode([bytesOf(text), bytes]);
        } catch (error) {
          assert.equal((error as { code?: string }).code, "BAD_REQUEST");
        }
      }),
    );
  });
});

describe("a header that is sent (§2.2)", () => {
  const value = (text: string): Uint8Array => bytesOf(text);

  for (const sourceAddress of ["192.0.2.1", "2001:db8::1", undefined]) {
    it(`brings the address ${sourceAddress} and all TLVs to the decoder, wherever it is cut`, () => {
      const extensions = [
        [0xe0, value("a secret")],
        [0x20, hex("0100000000")],
        [0xe1, value("")],
      ] as const;
      const bytes = Buffer.concat([encodeProxyHeader({ sourceAddress, extensions }), bytesOf(REQUEST)]);
      const isIpv4 = sourceAddress === "192.0.2.1";
      const header =
        sourceAddress === undefined
          ? ("unknown" as const)
          : {
              ...{ sourceAddress, sourcePort: 0 },
              ...{ destinationAddress: isIpv4 ? "0.0.0.0" : "::", destinationPort: 0 },
            };
      assertEverywhere(bytes, header, REQUEST);
      const decoder = new ProxyProtocolDecoder();
      decoder.push(bytes);
      decoder.next();
      const toText = ([type, given]: readonly [number, Uint8Array]): string =>
        `${type} ${Buffer.from(given).toString("latin1")}`;
      assert.deepEqual([...extensionsOf(decoder.extensions)].map(toText), extensions.map(toText));
    });
  }

  it("has the bytes of the specification", () => {
    assert.deepEqual(
      Buffer.from(encodeProxyHeader({ sourceAddress: "10.0.0.1", extensions: [[0xe0, bytesOf("ab")]] })),
      Buffer.from(hex(`${SIGNATURE} 21 11 0011 0a000001 00000000 0000 0000 e0 0002 6162`)),
    );
  });
});

describe("the TLVs of a header (§2.2)", () => {
  it("are none where there are no bytes", () => {
    assert.equal(extensionsOf(hex("")).size, 0);
  });

  it("of one type count with the last one", () => {
    assert.deepEqual([...extensionsOf(hex("e0 0001 61 e0 0001 62"))], [[0xe0, hex("62")]]);
  });

  for (const bytes of ["e0", "e0 00", "e0 0001", "e0 0002 61", "e0 0000 e1", "e0 ffff 61"]) {
    it(`that end within one are BAD_REQUEST: ${bytes}`, () => {
      assert.throws(() => extensionsOf(hex(bytes)), BAD);
    });
  }

  it("of any bytes are read or refused, and never run past their end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          let sum = 0;
          for (const found of extensionsOf(bytes).values()) sum += found.length;
          assert.ok(sum <= bytes.length);
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, "BAD_REQUEST");
        }
      }),
    );
  });
});
