// The demo's one handler.

import type { ChannelRequest, HandlerResult } from "../src/index.ts";
import { chat } from "./chat.ts";
import { page } from "./page.ts";
import { forget, session } from "./session.ts";
import { ticks } from "./ticks.ts";

export function demo(request: ChannelRequest): HandlerResult | Promise<HandlerResult> {
  if (request.path === "/ticks") return ticks(request);
  if (request.path === "/chat") return chat(request);
  if (request.path === "/chat/session") return session(request);
  if (request.path === "/chat/forget") return forget(request);
  return page(request.path);
}
