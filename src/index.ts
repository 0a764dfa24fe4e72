// The public entry: re-exports only.

export { ChannelError, type ErrorCode } from "./base/errors.ts";
export { type ChannelOptions, openChannel, withChannel } from "./channel/accept.ts";
export type { Channel, ChannelHandlers, Message } from "./channel/channel.ts";
export type { ErrorContext, ErrorReporter, ErrorSource } from "./channel/context.ts";
export type { Handler, HandlerResult } from "./channel/handle.ts";
export type { HeadersInput, RequestHeaders } from "./channel/headers.ts";
export type { AllowedOrigins } from "./channel/origin.ts";
export type { ChannelRequest } from "./channel/request.ts";
export { type BodyPart, event, json, type SendBody, type SendData, type SendInit } from "./channel/send-data.ts";
export type { OverflowPolicy } from "./channel/transport-channel.ts";
export type { UpgradeAccepted, UpgradeCheck, UpgradeResult } from "./channel/upgrade.ts";
export {
  type Broadcast,
  type ChannelStore,
  type ChannelStoreOptions,
  createChannelStore,
  MemoryChannelStore,
} from "./group/memory-channel-store.ts";
export type { Logger, ServeOptions, ServerLimits } from "./server/options.ts";
export { type FetchHandler, runServer, serve } from "./server/serve.ts";
export type { Server, ServerStats, ServerStatus } from "./server/server.ts";
export type { ProxyHeader, TrustedProxies } from "./server/trusted-proxies.ts";
export type { CloseName, CloseStatus } from "./transport/close-status.ts";
export type { CompressOptions } from "./transport/deflate.ts";
export type { EventMeta, TransportKind } from "./transport/transport.ts";
