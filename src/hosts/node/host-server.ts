// The servers that channels can be attached to.

import type { Server as HttpServer } from "node:http";
import type { Server as HttpsServer } from "node:https";

/** A server of node:http or node:https. */
export type NodeServer = HttpServer | HttpsServer;
