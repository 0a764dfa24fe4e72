// A room of event streams on better-sse and node:http.
import { createServer } from "node:http";
import { serveRoom } from "../lib/better-sse-room.js";

serveRoom(createServer);
