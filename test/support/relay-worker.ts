// A worker of node:cluster whose sessions may move. It sends the address at which it announces itself to the other processes.

import { memorySessions, serve } from "../../src/index.ts";

const sessions = memorySessions();
sessions.announce = async (_process, address) => void process.send!({ address });

const server = await serve(() => "ok\n", { host: "127.0.0.1", port: 0, sessions, relay: { host: "127.0.0.1" } });
process.once("SIGTERM", () => server.stop().then(() => process.exit()));
