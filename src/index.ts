// The public entry: re-exports only.
export { ChannelError, type ErrorCode } from "./base/errors.ts";
