// `unichannel/inspector`: a page that shows a running server.

export type { InspectorAction, InspectorAuthorize } from "./inspector/access.ts";
export { type Inspector, type InspectorAllow, type InspectorOptions, inspector } from "./inspector/inspector.ts";
