// The hub in a process of its own, for tests that kill, pause and cut it off as they do it to brokers: it listens on a TCP port, where
// `runProcesses` has a Unix socket.

import { createServer } from "node:net";
import { Hub } from "../../src/backplane/processes/hub.ts";

const hub = new Hub();
createServer((socket) => hub.accept(socket)).listen(Number(process.argv[2]), "127.0.0.1");
