// The contract of a channel over a Unix socket.

import { socketPath } from "../support/serving.ts";
import { contractOver } from "./transports.ts";

const skip = process.platform === "win32" && "Unix sockets have no path here";
contractOver("a Unix socket", (t) => ({ path: socketPath(t) }), { skip });
