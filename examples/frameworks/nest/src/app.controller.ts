import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { All, Controller, Get, HttpCode, Post, Req, Res, UseGuards } from "@nestjs/common";
// @ts-expect-error: plain JavaScript, shared by the examples
import { live, publish } from "../../live.js";
// biome-ignore lint/style/useImportType: Nest reads the class from the metadata of the constructor.
import { Channels } from "./channels.js";
import { UserGuard } from "./user.guard.js";

@Controller()
export class AppController {
  constructor(private readonly channels: Channels) {}

  @Get()
  page(): string {
    return "a page of Nest";
  }

  @Get("stats")
  stats(): unknown {
    return this.channels.attached.stats();
  }

  @Post("news")
  @HttpCode(204)
  async news(@Req() req: IncomingMessage): Promise<void> {
    publish(await text(req));
  }

  /** One route for WebSockets, event streams, streams, polls and sessions. With `@Res()` Nest sends nothing itself. */
  @All("live")
  @UseGuards(UserGuard)
  live(@Req() req: IncomingMessage, @Res() res: ServerResponse): void {
    live(this.channels.attached.request(req, res));
  }
}
