// @ts-check
// All rows, in the order in which they run. A new one is added here.
import { groups } from "./groups.js";
import { httpHello } from "./http-hello.js";
import { idlePoll, idleWs } from "./idle.js";
import { wsEcho } from "./ws-echo.js";

export const rows = [httpHello, ...wsEcho, ...groups, idleWs, idlePoll];
