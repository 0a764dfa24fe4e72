// A server in a process of its own, for tests of sockets that are passed on: `node activated.js OPTIONS`. It prints its
// URL, or the code of the error; says what it is asked for; and stops on SIGTERM.

import { execFileSync } from "node:child_process";
import { type ChannelError, type ServeOptions, serve } from "../../src/index.ts";

/** Variables of systemd, as a child of this process finds them. */
const SHOW = "process.stdout.write(Object.keys(process.env).filter((name) => name.startsWith('LISTEN_')).join())";

try {
  const server = await serve(
    (request) => {
      if (request.path === "/children") return execFileSync(process.execPath, ["-e", SHOW]);
      if (request.path === "/client") return String(request.remoteAddress);
      return String(process.pid);
    },
    JSON.parse(process.argv[2] ?? "{}") as ServeOptions,
  );
  console.log(server.url);
  process.once("SIGTERM", () => server.stop().then(() => process.exit()));
} catch (error) {
  console.log((error as ChannelError).code, (error as Error).message);
}
