// `unichannel/uws`: channels inside an application of uWebSockets.js.

export { type AttachedUws, type AttachUwsOptions, attachUws } from "./hosts/uws/attach.ts";
export type { UwsApp } from "./hosts/uws/types.ts";
