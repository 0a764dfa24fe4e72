// The contract of a channel over a Unix socket.

import { serving, socketPath } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

const skip = process.platform === "win32" && "Unix sockets have no path here";
contractOver("a Unix socket", (t, handler, options) => serving(t, handler, { path: socketPath(t), ...options }), {
  skip,
});
