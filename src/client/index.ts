// The entry of `unichannel/client`: re-exports only.

export { ChannelError } from "../base/channel-error.ts";
export type { Clock } from "../base/clock.ts";
export type { ErrorCode } from "../base/errors.ts";
export type { HandledRequest } from "../base/handled-request.ts";
export { RequestError } from "../base/request-error.ts";
export {
  type Contract,
  type ContractChannel,
  type ContractEnd,
  type ContractReceived,
  type ContractSent,
  type ContractSide,
  defineContract,
  type EventHandlers,
  type EventMessage,
  type MadeWithRequests,
  type Procedure,
  type RequestHandlers,
  type SendsMessages,
} from "../codec/contract.ts";
export {
  type JsonMessages,
  jsonMessages,
  type MessageCodec,
  type Received,
  type Sent,
  type StandardSchema,
  type WithCodec,
} from "../codec/message-codec.ts";
export type { RequestOptions, RequestSignal } from "../protocol/asked-requests.ts";
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
export { connect, type WithRequests } from "./connect.ts";
export type {
  Connection,
  ConnectionClose,
  ConnectionState,
  ConnectOptions,
  Message,
  Opening,
  Requests,
  Sendable,
} from "./connection.ts";
export type { EndpointOptions, Given, WebSocketConstructor } from "./endpoint.ts";
export type { Environment, PageEvent } from "./environment.ts";
export { type RequestConnection, type RequestsOptions, requests } from "./requests.ts";
export { ResumableWebSocket } from "./resumable-web-socket.ts";
export { StreamView, type StreamViewState } from "./stream-view.ts";
