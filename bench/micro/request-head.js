// @ts-check
// Request heads (src/codec/http1-request.ts): one decoding to latin1, names and values cut by index and checked by pattern,
// compared with the usual lines.split(), which checks only that there is a colon and so does much less.
import { bench, do_not_optimize, run, summary } from "mitata";
import { REQUEST_LIMITS, RequestDecoder } from "../../dist/src/codec/http1-request.js";
import { requestOf } from "../load/http-requests.js";

for (const browser of [false, true]) {
  const { fields } = requestOf({ browser });
  const head = Buffer.from(["GET / HTTP/1.1", "Host: 127.0.0.1:9090", ...fields, "", ""].join("\r\n"));
  const name = `${fields.length + 1} field${browser ? "s" : ""}`;
  summary(() => {
    bench(`${name}: RequestDecoder`, function* () {
      const decoder = new RequestDecoder(REQUEST_LIMITS);
      yield () => {
        decoder.push(head);
        do_not_optimize(decoder.next());
      };
    });
    bench(`${name}: split`, () => {
      const [requestLine = "", ...lines] = head.toString("latin1").split("\r\n");
      const [method, target] = requestLine.split(" ");
      /** @type {Record<string, string>} */
      const found = {};
      for (const line of lines) {
        const colon = line.indexOf(":");
        if (colon > 0) found[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      do_not_optimize({ method, target, found });
    });
  });
}

await run();
