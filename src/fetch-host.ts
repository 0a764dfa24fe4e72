// `unichannel/fetch-host`: channels inside Bun.serve, Deno.serve and other servers of Fetch handlers.

export type { BunSocket, BunWebSocketHandlers } from "./hosts/fetch/bun.ts";
export { createFetchHost, type FetchHost } from "./hosts/fetch/fetch-host.ts";
export type { HostOptions } from "./hosts/native/options.ts";
