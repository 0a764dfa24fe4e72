// A Host that HTTP allows and WHATWG's URL does not: the client's fault, not an error of the handler.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { it } from "node:test";
import { serve } from "../../src/index.ts";

for (const host of ["1.2.3.999", "a%00b"]) {
  it(`answers 400 to Host: ${host} for a Fetch handler, and reports nothing`, async () => {
    const reports: unknown[] = [];
    await using server = await serve({
      fetch: () => new Response("never"),
      port: 0,
      host: "127.0.0.1",
      onError: (error) => void reports.push(error),
    });
    const socket = connect(server.port, "127.0.0.1");
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    let text = "";
    for await (const bytes of socket) text += (bytes as Buffer).toString("latin1");
    assert.match(text, /^HTTP\/1\.1 400 Bad Request\r\n/);
    assert.deepEqual(reports, []);
  });
}
