// @ts-check
// Sessions on unichannel on a given port, with a graceful stop on request.
import { openSession, serve } from "../../dist/src/index.js";
import { ready } from "../lib/ready.js";

const [port = "0"] = process.argv.slice(2);
let open = 0;
const server = await serve((request) => openSession(request, { open: () => open++, close: () => open-- }), {
  port: Number(port),
  host: "127.0.0.1",
  maxSessionsPerAddress: Number.POSITIVE_INFINITY,
});
process.on("message", (question) => {
  if (question === "stop") void server.stop().then(() => process.exit());
});
ready(server.port, () => open);
