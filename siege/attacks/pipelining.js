// @ts-check
// Pipelined requests behind one that is not answered yet, byte by byte as well, and answers that are never read (fault L7).

const GETS = Buffer.from("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2000));
const PARKED = Buffer.from("GET /parked HTTP/1.1\r\nHost: a\r\n\r\n");

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "pipelining",
  about: "pipelined requests: read, not read, behind one that is not answered, and byte by byte",
  async run(attacker) {
    const flooding = Array.from({ length: 30 }, async (_, index) => {
      const socket = await attacker.open(index % 3 === 2 ? PARKED : undefined);
      if (index % 3 === 1) socket.pause();
      await attacker.flood(socket, () => GETS);
    });
    const bytewise = Array.from({ length: 20 }, async () => {
      const socket = await attacker.open(PARKED);
      let at = 0;
      await attacker.flood(socket, () => GETS.subarray(at % GETS.length, (at++ % GETS.length) + 1));
    });
    await Promise.all([...flooding, ...bytewise]);
  },
};
