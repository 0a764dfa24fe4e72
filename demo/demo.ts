// The demo's one handler: what it answers, by path.

import type { ChannelRequest, HandlerResult } from "../src/index.ts";
import { chat } from "./chat.ts";
import { page } from "./page.ts";
import { ticks } from "./ticks.ts";

export function demo(request: ChannelRequest): HandlerResult | Promise<HandlerResult> {
  if (request.path === "/ticks") return ticks(request);
  if (request.path === "/chat") return chat(request);
  return page(request.path);
}
