// @ts-check
// Ids that no server issued, in `Last-Event-ID` and `since`: as long as a head allows, of another epoch, and far ahead.

/** @type {import("../lib/attacker.js").Attack} */
export default {
  name: "last-event-ids",
  about: "Last-Event-ID and since that nobody gave out, as long as may be",
  async run(attacker) {
    const ids = [
      "x".repeat(15_000),
      "9".repeat(15_000),
      "-".repeat(15_000),
      `${"a.".repeat(3000)}1`,
      "1-99999999999999999999",
    ];
    await attacker.many(4000, async (index) => {
      const id = ids[index % ids.length] ?? "";
      const socket = await attacker.open(
        index % 2 === 0
          ? `GET /events?group=id${index} HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\nLast-Event-ID: ${id}\r\n\r\n`
          : `GET /poll?group=id${index}&since=${id.slice(0, 7000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      attacker.count("requests");
      if (index % 4 === 0) socket.destroy();
    });
    await attacker.hold();
  },
};
