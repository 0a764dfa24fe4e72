// The two actions of the inspector. Each is a POST of its own, with JSON: a page of another origin cannot send one without asking
// (WHATWG Fetch, "CORS-safelisted request-header"), and the application is asked again whether this visitor may do it.

import { ChannelError } from "../base/errors.ts";
import { checkClose } from "../channel/public-channel.ts";
import { json } from "../channel/send-data.ts";
import type { ChannelRequest } from "../request/request.ts";
import { refusal } from "./access.ts";
import type { ChannelTable } from "./channel-table.ts";
import type { WatchedStores } from "./lists.ts";
import { toGroupName } from "./view.ts";

/** Longest body of an action. */
export const MAX_ACTION_BYTES = 65_536;

export interface ActionContext {
  readonly table: ChannelTable;
  readonly stores: WatchedStores;
}

/** Answers a POST to `close`: 204, or the mistake. */
export async function close(request: ChannelRequest, { table }: ActionContext): Promise<Response> {
  const body = await bodyOf(request);
  if (body instanceof Response) return body;
  const { channel: id, code = 1000, reason = "" } = body;
  const record = typeof id === "string" ? table.find(id) : undefined;
  if (record === undefined) return refusal(404, "there is no such channel");
  const { channel } = record;
  return answer(() => {
    if (channel?.isOpen !== true) return refusal(409, "the channel is closed already");
    checkClose(code as number, reason as string);
    // Told first: an end that comes within the call makes the timeline complete.
    table.tell(channel.publicChannel, "operator", "closed from the inspector");
    channel.close(code as number, reason as string);
    return done();
  });
}

/** Answers a POST to `publish`: 204, or the mistake. */
export async function publish(request: ChannelRequest, { stores }: ActionContext): Promise<Response> {
  const body = await bodyOf(request);
  if (body instanceof Response) return body;
  const name = toGroupName(body);
  const watched = name === null ? undefined : stores.get(name.store);
  if (name === null || watched === undefined) return refusal(404, "there is no such store");
  const { data, form } = body;
  if (typeof data !== "string") return refusal(400, "data is a text");
  return answer(async () => {
    await watched.store.publish(name.group, form === "json" ? toJson(data) : data);
    return done();
  });
}

async function bodyOf(request: ChannelRequest): Promise<Readonly<Record<string, unknown>> | Response> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/json\b/i.test(type)) return refusal(415, "an action is application/json");
  const length = Number(request.headers.get("content-length") ?? Number.NaN);
  if (!(length <= MAX_ACTION_BYTES)) return refusal(413, `an action has at most ${MAX_ACTION_BYTES} bytes`);
  return answer(async () => {
    const body = await request.json();
    return typeof body === "object" && body !== null
      ? (body as Readonly<Record<string, unknown>>)
      : refusal(400, "an action is an object");
  });
}

function toJson(text: string): ReturnType<typeof json> {
  try {
    return json(JSON.parse(text));
  } catch (error) {
    throw new ChannelError("BAD_DATA", "the message is not JSON", { cause: error });
  }
}

/** Mistakes of the visitor have an answer; every other error is reported by the server. */
async function answer<Result>(act: () => Result | Promise<Result>): Promise<Result | Response> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    return refusal(error.status ?? 400, error.message);
  }
}

function done(): Response {
  return new Response(null, { status: 204 });
}
