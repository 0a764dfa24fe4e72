// The diagnostics of one server, for the inspector's tables.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ChannelRequest } from "../request/request.ts";
import type { DiagnosticsMessages } from "../server/diagnostics.ts";
import type { BaseServer } from "../server/server.ts";
import type { ChannelTable } from "./channel-table.ts";

export interface ListenOptions {
  readonly table: ChannelTable;
  /** True for a request of the inspector itself. */
  isOwn(request: ChannelRequest): boolean;
  /** The server has stopped. */
  stopped(): void;
  report(error: unknown): void;
}

type Listeners = { readonly [Name in keyof DiagnosticsMessages]?: (message: DiagnosticsMessages[Name]) => void };

/** Listens until the function that comes back is called. */
export function listenTo(server: BaseServer, { table, isOwn, stopped, report }: ListenOptions): () => void {
  const listeners: Listeners = {
    "unichannel:channel.open": (message) => {
      if (!isOwn(message.request)) table.channelOpened(message);
    },
    "unichannel:channel.close": (message) => table.channelClosed(message),
    "unichannel:channel.overflow": (message) => table.overflowed(message),
    "unichannel:channel.rate": (message) => table.rateExceeded(message),
    "unichannel:session.attach": (message) => table.carrierAttached(message),
    "unichannel:session.detach": (message) => table.carrierLost(message),
    "unichannel:session.lost": (message) => {
      if (!isOwn(message.request)) table.sessionLost(message);
    },
    "unichannel:error": (message) => table.failed(message),
    "unichannel:server.stop": stopped,
  };
  const stops = Object.entries(listeners).map(([name, listener]) => {
    const onMessage = (message: unknown): void => {
      if ((message as { readonly server: BaseServer }).server !== server) return;
      // Node ends the process when a subscriber throws.
      try {
        (listener as (message: unknown) => void)(message);
      } catch (error) {
        // A report is an event, too.
        if (name !== "unichannel:error") report(error);
      }
    };
    subscribe(name, onMessage);
    return () => unsubscribe(name, onMessage);
  });
  return () => {
    for (const stop of stops) stop();
  };
}
