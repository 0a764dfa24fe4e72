// `unichannel/testing`: a server and its clients in memory, in virtual time. Re-exports only.

export type { ServerEvent } from "../codec/sse.ts";
export type { TestNetwork } from "./network.ts";
export type { TestEvents } from "./test-events.ts";
export { type TestPlatform, type TestServer, type TestServerOptions, testServer } from "./test-server.ts";
export type { TestWebSocket, TestWebSocketOptions, WebSocketClosing } from "./test-web-socket.ts";
export { VirtualClock } from "./virtual-clock.ts";
