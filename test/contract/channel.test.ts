// The contract of a Channel, over every transport that our engine has and everything that it listens on.

import { certificate, noCertificate, socketPath } from "../support/serving.ts";
import { channelContract } from "./channel.ts";
import { type Capabilities, type Carrier, openEventStream, openHttp, openWebSocket } from "./conversation.ts";

const WEBSOCKET: Capabilities = {
  kind: "websocket",
  closesAfterSend: false,
  sendsMany: true,
  clientSends: true,
  binary: true,
  closeCodes: true,
  marksEnd: true,
  fillsSoon: true,
  leaving: { by: "client", code: 1000, name: "normal" },
  losing: { by: "network", code: 1006, name: "abnormal" },
};

const STREAMING: Capabilities = {
  ...WEBSOCKET,
  kind: "http",
  closesAfterSend: true,
  clientSends: false,
  closeCodes: false,
  leaving: { by: "client", code: 1001, name: "client-close" },
  // A client that is gone without a word has ended its side all the same.
  losing: { by: "client", code: 1001, name: "client-close" },
};

const EVENTS: Capabilities = { ...STREAMING, kind: "sse", closesAfterSend: false, binary: false };
const POLL: Capabilities = { ...STREAMING, sendsMany: false };

const CARRIERS: readonly (readonly [over: string, carrier: Carrier, skip: string | false])[] = [
  ["TCP", () => ({}), false],
  [
    "a Unix socket",
    (t) => ({ path: socketPath(t) }),
    process.platform === "win32" && "Unix sockets are not files here",
  ],
  ["TLS", () => ({ tls: certificate() }), noCertificate],
];

for (const [over, carrier, skip] of CARRIERS) {
  const can = { fillsSoon: over !== "TLS" };
  channelContract(`a WebSocket over ${over}`, openWebSocket(carrier), { ...WEBSOCKET, ...can }, skip);
  channelContract(`an event stream over ${over}`, openEventStream(carrier), { ...EVENTS, ...can }, skip);
  channelContract(`HTTP streaming over ${over}`, openHttp(carrier, "1.1", false), { ...STREAMING, ...can }, skip);
  channelContract(`a long poll over ${over}`, openHttp(carrier, "1.1", true), { ...POLL, ...can }, skip);
}

const HTTP_1_0: Capabilities = { ...STREAMING, marksEnd: false };
channelContract(
  "HTTP/1.0 streaming over TCP",
  openHttp(() => ({}), "1.0", false),
  HTTP_1_0,
);
