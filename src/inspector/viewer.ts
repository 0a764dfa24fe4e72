// One page that is open: its session, and what it shows.

import type { Channel } from "../channel/channel.ts";
import type { ChannelRequest } from "../request/request.ts";
import type { TimelineEvent, Update, View } from "./page/wire.ts";
import { FIRST_VIEW } from "./view.ts";

/** Unsent bytes of a page beyond which it misses updates. */
const MAX_UNSENT = 262_144;
/** Events that wait for the next update. */
const MAX_HAPPENED = 40;

export class Viewer {
  readonly channel: Channel;
  /** The request of its latest carrier, by which it is authorized again. */
  request: ChannelRequest;
  view: View = FIRST_VIEW;
  /** The application was asked whether this page may still look, and has not answered. */
  isAsked = false;
  #happened: TimelineEvent[] = [];
  #left = 0;

  constructor(channel: Channel, request: ChannelRequest) {
    this.channel = channel;
    this.request = request;
  }

  get isLooking(): boolean {
    return !this.view.isPaused && this.channel.isOpen;
  }

  /** True while its connection takes what it is sent. */
  get isReady(): boolean {
    return this.channel.bufferedAmount <= MAX_UNSENT;
  }

  happened(event: TimelineEvent): void {
    if (this.#happened.length < MAX_HAPPENED) this.#happened.push(event);
    else this.#left += 1;
  }

  /** Takes what has happened since the last update, and how much more did. */
  takeHappened(now: number): Update["happened"] {
    const taken = this.#happened;
    this.#happened = [];
    if (this.#left > 0) taken.push({ at: now, kind: "more", text: `${this.#left} more events` });
    this.#left = 0;
    return taken;
  }
}
