// @ts-check
// All rows, in the order in which they run. A new one is added here.
import { cluster } from "./cluster.js";
import { groups } from "./groups.js";
import { growth } from "./growth.js";
import { http } from "./http.js";
import { idlePoll, idleSession, idleSse, idleWs } from "./idle.js";
import { session } from "./session.js";
import { start } from "./start.js";
import { wsEcho } from "./ws-echo.js";

export const rows = [
  ...http,
  ...wsEcho,
  ...groups,
  ...cluster,
  session,
  idleWs,
  idleSse,
  idlePoll,
  idleSession,
  start,
  ...growth,
];
