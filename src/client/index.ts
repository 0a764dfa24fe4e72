// The entry of `unichannel/client`: re-exports only.

export { ChannelError } from "../base/channel-error.ts";
export type { Clock } from "../base/clock.ts";
export type { ErrorCode } from "../base/errors.ts";
export {
  type JsonMessages,
  jsonMessages,
  type MessageCodec,
  type Received,
  type Sent,
  type StandardSchema,
  type WithCodec,
} from "../codec/message-codec.ts";
export type { CloseName, CloseStatus } from "../protocol/close-status.ts";
export type {
  StreamBegin,
  StreamEnd,
  StreamMessage,
  StreamOutcome,
  StreamParts,
  StreamText,
} from "../protocol/stream-message.ts";
export type { BackoffOptions } from "./backoff.ts";
export type { CarrierKind } from "./carrier.ts";
export { connect } from "./connect.ts";
export type {
  Connection,
  ConnectionClose,
  ConnectionState,
  ConnectOptions,
  Message,
  Opening,
  Sendable,
} from "./connection.ts";
export type { EndpointOptions, Given, WebSocketConstructor } from "./endpoint.ts";
export type { Environment, PageEvent } from "./environment.ts";
export { ResumableWebSocket } from "./resumable-web-socket.ts";
export { StreamView, type StreamViewState } from "./stream-view.ts";
