// The demo's one handler.

import type { ChannelRequest, Handler, HandlerResult } from "../src/index.ts";
import { chat } from "./chat.ts";
import { page } from "./page.ts";
import { forget, session } from "./session.ts";
import { ticks } from "./ticks.ts";

/** The place of a server in its service. */
export interface Place {
  /** Servers are counted: one that replaces another has a number of its own. */
  readonly number: number;
  /** Replaces one server of the service. */
  deploy(): Promise<void>;
  /** Replaces all servers of the service, one after the other. */
  deployAll(): Promise<void>;
}

export function demoWith(place: Place): Handler {
  return (request) => {
    if (request.path === "/ticks") return ticks(request);
    if (request.path === "/chat") return chat(request);
    if (request.path === "/chat/session") return session(request, place.number);
    if (request.path === "/chat/forget") return forget(request);
    if (request.path === "/deploys") return begin(request, place);
    return page(request.path);
  };
}

/** The deploy goes on after the answer: a server that stops waits for its handlers. */
function begin({ method, query }: ChannelRequest, place: Place): HandlerResult {
  if (method !== "POST") return { status: 405, headers: { Allow: "POST" } };
  if (query.get("of") === "all") {
    void place.deployAll();
    return { status: 202, body: "new servers replace all three, one after the other\n" };
  }
  void place.deploy();
  return { status: 202, body: "a new server replaces one of three\n" };
}
