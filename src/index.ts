// The public entry: re-exports only.

export { ChannelError, type ErrorCode } from "./base/errors.ts";
export { type ChannelOptions, openChannel, withChannel } from "./channel/accept.ts";
export type { BodyPart, SendBody } from "./channel/body.ts";
export type { AnyChannel, Channel, ChannelHandlers, Message, SessionHandlers } from "./channel/channel.ts";
export type { ErrorContext, ErrorReporter, ErrorSource } from "./channel/context.ts";
export type { CorsOptions } from "./channel/cors.ts";
export type { Handler, HandlerResult } from "./channel/handle.ts";
export type { HeadersInput, RequestHeaders } from "./channel/headers.ts";
export type { AllowedHosts } from "./channel/host.ts";
export type { AllowedOrigins } from "./channel/origin.ts";
export type { PreparedMessage } from "./channel/prepared-message.ts";
export type { ChannelRequest } from "./channel/request.ts";
export { event, json, prepare, type SendData, type SendInit } from "./channel/send-data.ts";
export { openSession, type SessionOptions } from "./channel/session.ts";
export type { OverflowPolicy } from "./channel/transport-channel.ts";
export type { UpgradeAccepted, UpgradeCheck, UpgradeResult } from "./channel/upgrade.ts";
export { type JsonMessages, jsonMessages, type MessageCodec, type StandardSchema } from "./codec/message-codec.ts";
export type {
  Backplane,
  BackplaneEntry,
  BackplaneHistory,
  BackplaneListener,
  BackplaneMember,
  HistoryLimits,
} from "./group/backplane.ts";
export { MemoryBackplane } from "./group/backplane-memory.ts";
export type {
  Broadcast,
  ChannelStore,
  ChannelStoreOptions,
  GroupHistory,
  GroupMember,
  JoinOptions,
  PresentMember,
  PublishOptions,
  StoreHistoryLimits,
} from "./group/channel-store.ts";
export { createChannelStore, MemoryChannelStore } from "./group/create-store.ts";
export type { HistoryMessage } from "./group/message.ts";
export { type PollOptions, pollGroup } from "./group/poll.ts";
export type { EventMeta } from "./protocol/outbound-message.ts";
export type { ServerStats, StatusClass } from "./server/counts.ts";
export type { DiagnosticsConnection, DiagnosticsMessages } from "./server/diagnostics.ts";
export type { Logger } from "./server/log.ts";
export type { ServeOptions, ServerLimits } from "./server/options.ts";
export { type FetchHandler, runServer, serve } from "./server/serve.ts";
export type { Server, ServerStatus } from "./server/server.ts";
export type { ProxyHeader, TrustedProxies } from "./server/trusted-proxies.ts";
export type { CloseName, CloseStatus } from "./transport/close-status.ts";
export type { CompressOptions } from "./transport/deflate.ts";
export type { TransportKind } from "./transport/transport.ts";
