// `unichannel/node`: channels inside a server of node:http, node:https or node:http2, and the frameworks above it.

export { type Attached, type AttachedRequestOptions, attach } from "./hosts/node/attach.ts";
export type { NodeRequest, NodeResponse, NodeServer } from "./hosts/node/host-server.ts";
export type { AttachOptions, Upgrades } from "./hosts/node/options.ts";
