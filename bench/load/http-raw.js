// @ts-check
// HTTP load without wrk, over keep-alive connections.
import { requestOf } from "./http-requests.js";
import { run } from "./steady.js";

const config = JSON.parse(process.argv[2] ?? "{}");
const { method, fields, body } = requestOf(config);
const length = body === "" ? [] : [`Content-Length: ${body.length}`];

await run(config, {
  port: config.port,
  inFlight: config.pipelined ?? 1,
  request: Buffer.from([`${method} / HTTP/1.1`, "Host: 127.0.0.1", ...fields, ...length, "", body].join("\r\n")),
  replyLength(bytes) {
    const text = bytes.toString("latin1");
    const end = text.indexOf("\r\n\r\n");
    if (end === -1) return 0;
    if (!/^HTTP\/1\.1 200 [\s\S]*\ncontent-length: 11\r\n/i.test(text.slice(0, end + 2)))
      throw new Error(`reply: ${text}`);
    return text.length < end + 4 + 11 ? 0 : end + 4 + 11;
  },
});
