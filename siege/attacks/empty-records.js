// @ts-check
// Records without content, as fast as the server accepts them, on WebSockets and in POSTs; and lines that are not records.
import { maskedFrame, TEXT } from "../lib/attacker.js";

const EMPTY = Buffer.concat(Array(5000).fill(maskedFrame(TEXT, Buffer.from("m"))));
const BODIES = [
  Buffer.from("data\n\n".repeat(16_000)),
  Buffer.alloc(1 << 20, "\n"),
  Buffer.from(":\n".repeat(500_000)),
];

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "empty-records",
  about: "empty records on WebSockets and in POSTs, empty lines and comments, as fast as they are taken",
  async run(attacker) {
    const tokens = await attacker.tokens(6, "/session");
    const flooding = Array.from({ length: 4 }, async () => {
      const socket = await attacker.openSession();
      await attacker.flood(socket, () => EMPTY);
    });
    const posting = tokens.map(async (token, index) => {
      const body = BODIES[index % 3] ?? Buffer.alloc(0);
      const head = `POST /session?session=${token}&from=1 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
      const request = Buffer.concat([Buffer.from(head), body]);
      const socket = await attacker.open();
      await attacker.flood(socket, () => request);
    });
    await Promise.all([...flooding, ...posting]);
  },
};
