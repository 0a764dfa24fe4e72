// `unichannel/node`: channels inside a server of node:http or node:https, and the frameworks above it.

export { type Attached, type AttachedRequestOptions, attach } from "./hosts/node/attach.ts";
export type { NodeServer } from "./hosts/node/host-server.ts";
export type { AttachOptions, Upgrades } from "./hosts/node/options.ts";
