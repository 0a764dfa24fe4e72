// @ts-check
// The memory that POSTs of sessions hold: busy receivers, many sessions, and bodies with the largest allowed number of records
// or bytes (fault H7).

const RECORDS = Buffer.from("data\n\n".repeat(16_384));
const BIG = Buffer.from(`data: ${"x".repeat(4_000_000)}\n\n`);

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "session-posts",
  about: "900 sessions whose receiver is busy, up to 6 POSTs each: 16,384 records, or one of 4 MB",
  async run(attacker) {
    const tokens = await attacker.tokens(900, "/busy-session");
    await attacker.many(tokens.length * 6, async (index) => {
      const body = index % 3 === 0 ? BIG : RECORDS;
      const token = tokens[index % tokens.length];
      const from = Math.floor(index / tokens.length) * 16_384 + 1;
      const socket = await attacker.open(
        `POST /busy-session?session=${token}&from=${from} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`,
      );
      attacker.send(socket, body);
      attacker.count("POSTs");
    });
    await attacker.hold();
  },
};
