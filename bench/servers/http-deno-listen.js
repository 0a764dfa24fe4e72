// A bare loop on Deno.listen, the counterpart of http-net.js: it answers without parsing. Runs on Deno.
import { ready } from "../lib/ready.js";

const ANSWER = new TextEncoder().encode(
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 11\r\n\r\nhello world",
);

const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
ready(listener.addr.port);
for await (const connection of listener) {
  connection.setNoDelay(true);
  serve(connection).catch(() => {});
}

async function serve(connection) {
  const bytes = new Uint8Array(65_536);
  while ((await connection.read(bytes)) !== null) await connection.write(ANSWER);
}
