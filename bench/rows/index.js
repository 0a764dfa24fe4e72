// @ts-check
// All rows, by theme and in the order in which they run. A new one is added here.
import { applications } from "./applications.js";
import { attached } from "./attached.js";
import { cluster } from "./cluster.js";
import { fetchHost } from "./fetch-host.js";
import { groups } from "./groups.js";
import { growth } from "./growth.js";
import { http } from "./http.js";
import { http2 } from "./http2.js";
import { idle } from "./idle.js";
import { inspected } from "./inspected.js";
import { processes } from "./processes.js";
import { runtimes } from "./runtimes.js";
import { session } from "./session.js";
import { imports, start } from "./start.js";
import { wsEcho } from "./ws-echo.js";

/** @type {readonly { title: string, rows: readonly import("../lib/row.js").Row[] }[]} */
export const themes = [
  { title: "HTTP", rows: http },
  { title: "HTTP/2", rows: http2 },
  { title: "WebSocket", rows: wsEcho },
  { title: "Inside node:http", rows: attached },
  { title: "One message to many", rows: groups },
  { title: "Applications", rows: applications },
  { title: "Several processes", rows: [...cluster, ...processes] },
  { title: "Sessions", rows: session },
  { title: "With an inspector", rows: inspected },
  { title: "Memory and start", rows: [...idle, start, imports] },
  { title: "On Bun and Deno", rows: runtimes },
  { title: "Inside Bun.serve and Deno.serve", rows: fetchHost },
  { title: "By size", rows: growth },
];

export const rows = themes.flatMap((theme) => theme.rows);
