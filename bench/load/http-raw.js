// @ts-check
// HTTP load without wrk: GETs on keep-alive connections, one in flight on each.
import { run } from "./steady.js";

const config = JSON.parse(process.argv[2] ?? "{}");

await run(config, {
  port: config.port,
  inFlight: 1,
  request: Buffer.from("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
  replyLength(bytes) {
    const text = bytes.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end === -1) return 0;
    if (!/^HTTP\/1\.1 200 [\s\S]*\ncontent-length: 11\r\n/i.test(text.slice(0, end + 2)))
      throw new Error(`reply: ${text}`);
    return text.length < end + 4 + 11 ? 0 : end + 4 + 11;
  },
});
