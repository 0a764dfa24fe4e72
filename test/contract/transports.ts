// The capabilities of each transport of our engine, and the contract's suite over all of them.

import type { Serving } from "../support/serving.ts";
import { channelContract } from "./channel.ts";
import {
  type Capabilities,
  openEventStream,
  openHttp,
  openHttp2,
  openHttp2EventStream,
  openHttp2WebSocket,
  openWebSocket,
} from "./conversation.ts";

const WEBSOCKET: Capabilities = {
  kind: "websocket",
  closesAfterSend: false,
  sendsMany: true,
  clientSends: true,
  binary: true,
  closeCodes: true,
  fragments: true,
  pings: true,
  heartbeats: true,
  holdsBack: true,
  drops: true,
  marksEnd: true,
  fillsSoon: true,
  leaving: { by: "client", code: 1000, name: "normal" },
  losing: { by: "network", code: 1006, name: "abnormal" },
};

const STREAMING: Capabilities = {
  ...WEBSOCKET,
  kind: "stream",
  closesAfterSend: true,
  clientSends: false,
  closeCodes: false,
  pings: false,
  heartbeats: false,
  leaving: { by: "client", code: 1001, name: "client-close" },
  // A client that is gone without a word has ended its side all the same.
  losing: { by: "client", code: 1001, name: "client-close" },
};

const EVENTS: Capabilities = { ...STREAMING, kind: "sse", closesAfterSend: false, binary: false, heartbeats: true };
const POLL: Capabilities = { ...STREAMING, sendsMany: false };

/** The capabilities that a WebSocket of the host may lack. */
export type WebSocketLacks = Partial<Pick<Capabilities, "fragments" | "pings" | "holdsBack" | "drops" | "fillsSoon">>;

interface Differences {
  readonly skip?: string | false;
  readonly fillsSoon?: boolean;
  readonly webSocket?: WebSocketLacks;
  /** Why there is no HTTP/1.0. */
  readonly noHttp10?: string | false;
}

/** The suite over every transport, carried by what `carrier` has the server listen on. */
export function contractOver(
  over: string,
  carrier: Serving,
  { skip = false, fillsSoon = true, webSocket = {}, noHttp10 = false }: Differences = {},
): void {
  const can = { fillsSoon };
  const ofWebSocket = { ...WEBSOCKET, ...can, heartbeats: webSocket.pings !== false, ...webSocket };
  channelContract(`a WebSocket over ${over}`, openWebSocket(carrier), ofWebSocket, skip);
  channelContract(`an event stream over ${over}`, openEventStream(carrier), { ...EVENTS, ...can }, skip);
  channelContract(`HTTP streaming over ${over}`, openHttp(carrier, "1.1", false), { ...STREAMING, ...can }, skip);
  channelContract(`a long poll over ${over}`, openHttp(carrier, "1.1", true), { ...POLL, ...can }, skip);
  const can10 = { ...STREAMING, ...can, marksEnd: false };
  channelContract(`HTTP/1.0 streaming over ${over}`, openHttp(carrier, "1.0", false), can10, skip || noHttp10);
}

/** The same over HTTP/2, which has no HTTP/1.0. */
export function contractOverHttp2(over: string, carrier: Serving, skip: string | false = false): void {
  channelContract(`a WebSocket over ${over}`, openHttp2WebSocket(carrier), WEBSOCKET, skip);
  channelContract(`an event stream over ${over}`, openHttp2EventStream(carrier), EVENTS, skip);
  channelContract(`HTTP streaming over ${over}`, openHttp2(carrier, false), STREAMING, skip);
  channelContract(`a long poll over ${over}`, openHttp2(carrier, true), POLL, skip);
}
