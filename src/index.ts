// The public entry: re-exports only.

export type {
  Backplane,
  BackplaneEntry,
  BackplaneHistory,
  BackplaneKey,
  BackplaneListener,
  BackplaneMember,
  BackplaneRecords,
  HistoryLimits,
} from "./backplane/backplane.ts";
export { MemoryBackplane } from "./backplane/memory.ts";
export { type MemorySessions, type MemorySessionsOptions, memorySessions } from "./backplane/memory-sessions.ts";
export type { SessionStore, TakeOptions, TakeResult } from "./backplane/session-store.ts";
export type { Clock } from "./base/clock.ts";
export { ChannelError, type ErrorCode } from "./base/errors.ts";
export type { HandledRequest } from "./base/handled-request.ts";
export { RequestError } from "./base/request-error.ts";
export type { BodyPart, SendBody, StreamBody } from "./channel/body.ts";
export type { AnyChannel, Channel, ChannelHandlers, LostSession, Message, SessionHandlers } from "./channel/channel.ts";
export type { ErrorSource, OverflowPolicy } from "./channel/context.ts";
export type { HeadersInput, RequestHeaders } from "./channel/headers.ts";
export type { PreparedMessage } from "./channel/prepared-message.ts";
export type { RateLimitName } from "./channel/rate-gate.ts";
export type { RatePolicy } from "./channel/rate-limits.ts";
export { event, json, prepare, type SendData, type SendInit, type SendOptions } from "./channel/send-data.ts";
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
} from "./codec/contract.ts";
export {
  type JsonMessages,
  jsonMessages,
  type MessageCodec,
  type Received,
  type Sent,
  type StandardSchema,
  type WithCodec,
} from "./codec/message-codec.ts";
export type {
  AnyChannelStore,
  Broadcast,
  ChannelStore,
  ChannelStoreOptions,
  DisconnectOptions,
  GroupHistory,
  JoinOptions,
  LatestOptions,
  MoveOptions,
  PartOf,
  PresenceHandlers,
  PresentMember,
  PublishOptions,
  StoreHistoryLimits,
} from "./group/channel-store.ts";
export type { MemberFields } from "./group/control.ts";
export { createChannelStore, MemoryChannelStore } from "./group/create-store.ts";
export type { GroupMember, Publishable } from "./group/group-member.ts";
export type { KeyOf, LatestKey } from "./group/latest-key.ts";
export type { HistoryMessage } from "./group/message.ts";
export type { NamedStores } from "./group/moving.ts";
export { pollGroup } from "./group/poll.ts";
export type {
  PartSource,
  Parts,
  PublishStreamOptions,
  StreamKeep,
  StreamResult,
} from "./group/published/publish-stream.ts";
export type { MakeSnapshot, Snapshot, SnapshotContext } from "./group/state-source.ts";
export type { PollOptions } from "./group/store-options.ts";
export type { RequestOptions, RequestSignal } from "./protocol/asked-requests.ts";
export type { EventMeta } from "./protocol/outbound-message.ts";
export type {
  StreamBegin,
  StreamEnd,
  StreamMessage,
  StreamOutcome,
  StreamParts,
  StreamText,
} from "./protocol/stream-message.ts";
export { type AttachmentOf, openChannel, withChannel } from "./request/accept.ts";
export type { ChannelOptions, ChooseProtocol } from "./request/channel-options.ts";
export type { ErrorContext, ErrorReporter } from "./request/context.ts";
export type { CorsOptions } from "./request/cors.ts";
export type { Handler, HandlerResult } from "./request/handle.ts";
export type { AllowedHosts } from "./request/host.ts";
export type { AllowedOrigins } from "./request/origin.ts";
export type { ChannelRequest } from "./request/request.ts";
export type { UpgradeAccepted, UpgradeCheck, UpgradeResult } from "./request/upgrade-check.ts";
export type { ServerStats, SessionStats, StatusClass } from "./server/counts.ts";
export type { DiagnosticsConnection, DiagnosticsMessages } from "./server/diagnostics.ts";
export type { Http2Options } from "./server/http2-options.ts";
export type { Logger } from "./server/log.ts";
export type { FetchHandler, ServeOptions } from "./server/options.ts";
export type { RelayOptions } from "./server/relay/relay-options.ts";
export { runServer, serve } from "./server/serve.ts";
export type { BaseServer, Server, ServerStatus } from "./server/server.ts";
export type { ServerLimits } from "./server/server-limits.ts";
export type { TlsRenewal } from "./server/tls-options.ts";
export type { ProxyHeader, TrustedProxies } from "./server/trusted-proxies.ts";
export { openSession } from "./session/open-session.ts";
export type { SessionOptions } from "./session/options.ts";
export type { CloseName, CloseStatus } from "./transport/close-status.ts";
export type { CompressOptions } from "./transport/compression/deflate.ts";
export type { TransportKind } from "./transport/transport.ts";
