// The HTTP work on uWebSockets.js.
import uws from "@trufflesuite/uws-js-unofficial";
import { ready } from "../lib/ready.js";

const hello = (response) => response.writeHeader("Content-Type", "text/plain").end("hello world");
uws
  .App()
  .get("/", hello)
  .post("/", (response) => {
    let body = Buffer.alloc(0);
    response.onData((part, isLast) => {
      body = Buffer.concat([body, Buffer.from(part)]);
      if (isLast) response.cork(() => hello(response));
    });
    response.onAborted(() => {});
  })
  .listen("127.0.0.1", 0, (socket) => ready(uws.us_socket_local_port(socket)));
