// @ts-check
// All rows, in the order in which they run. A new one is added here.
import { growth } from "./growth.js";
import { http } from "./http.js";
import { idlePoll, idleWs } from "./idle.js";
import { start } from "./start.js";
import { wsEcho } from "./ws-echo.js";

export const rows = [...http, ...wsEcho, idleWs, idlePoll, start, ...growth];
