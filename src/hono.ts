// `unichannel/hono`: channels in the handlers of a Hono application.

export { openChannel, openSession, pollGroup, withChannel } from "./hosts/hono/channels.ts";
