// The demo's one handler.

import type { Handler, HandlerResult } from "../src/index.ts";
import { chat } from "./chat.ts";
import { page } from "./page.ts";
import { forget, session } from "./session.ts";
import { ticks } from "./ticks.ts";

/** `deploy` replaces one server of the service. */
export function demoWith(deploy: () => Promise<void>): Handler {
  return (request) => {
    if (request.path === "/ticks") return ticks(request);
    if (request.path === "/chat") return chat(request);
    if (request.path === "/chat/session") return session(request);
    if (request.path === "/chat/forget") return forget(request);
    if (request.path === "/deploys") return begin(request.method, deploy);
    return page(request.path);
  };
}

/** The deploy goes on after the answer: a server that stops waits for its handlers. */
function begin(method: string, deploy: () => Promise<void>): HandlerResult {
  if (method !== "POST") return { status: 405, headers: { Allow: "POST" } };
  void deploy();
  return { status: 202, body: "a new server replaces one of three\n" };
}
