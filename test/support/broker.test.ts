// The broker of the fault tests: one of several processes is started when it is ready, stands still as a whole, and goes on.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Broker } from "./broker.ts";
import { until } from "./wait.ts";

/** A parent that does nothing, and a child that echoes until the parent has ended: PostgreSQL answers in such children. */
const CHILD =
  "require('node:net').createServer((s) => s.on('error', () => {}).pipe(s)).listen(+process.argv[1], '127.0.0.1'); process.stdin.on('end', () => process.exit()).resume()";
const PARENT = `
  const child = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(CHILD)}, process.argv[1]]);
  child.on("exit", () => process.exit());
`;

it("a broker is started when it is ready, and all of its processes stand still", async (t) => {
  if (process.platform !== "linux") return t.skip("descendants are found in /proc");
  let asked = 0;
  const sockets: Socket[] = [];
  const broker = await Broker.start(
    (port) => [process.execPath, "-e", PARENT, String(port)],
    async (port) => {
      asked += 1;
      const socket = connect(port, "127.0.0.1");
      const isOpen = await once(socket, "connect").then(
        () => true,
        () => false,
      );
      if (isOpen) sockets.push(socket);
      return isOpen && sockets.length === 3;
    },
  );
  t.after(() => broker.stop());
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  assert.ok(asked >= 3, "until it was ready");
  const [socket] = sockets;
  const echoed: string[] = [];
  socket!.on("data", (bytes) => echoed.push(String(bytes)));
  socket!.write("a");
  await until(() => echoed.length === 1, "an echo");
  broker.pause();
  socket!.write("b");
  await delay(300);
  assert.deepEqual(echoed, ["a"], "it stands still");
  broker.resume();
  await until(() => echoed.length === 2, "the other echo");
});
