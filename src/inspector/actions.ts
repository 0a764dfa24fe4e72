// The two actions of the inspector. They come over the session of a page, which reaches the process that the page shows, and whose
// token no other page has. The application is asked again before each.

import { ChannelError } from "../base/errors.ts";
import { checkClose } from "../channel/public-channel.ts";
import { json } from "../channel/send-data.ts";
import type { ChannelTable } from "./channel-table.ts";
import type { WatchedStores } from "./lists.ts";
import { type Loose, toGroupName } from "./view.ts";

export type ActionName = "close" | "publish";

export interface ActionContext {
  readonly table: ChannelTable;
  readonly stores: WatchedStores;
}

/** The action that a message of a page asks for; undefined for any other message. */
export function actionOf({ type }: Loose): ActionName | undefined {
  return type === "close" || type === "publish" ? type : undefined;
}

/** Carries out an action. Returns the mistake of the visitor, if there is one. Rejects with any other error. */
export async function act(action: ActionName, given: Loose, context: ActionContext): Promise<string | undefined> {
  try {
    return await (action === "close" ? close(given, context) : publish(given, context));
  } catch (error) {
    if (!(error instanceof ChannelError)) throw error;
    return error.message;
  }
}

function close({ channel: id, code = 1000, reason = "" }: Loose, { table }: ActionContext): string | undefined {
  const record = typeof id === "string" ? table.find(id) : undefined;
  if (record === undefined) return "there is no such channel in this process";
  const { channel } = record;
  if (channel?.isOpen !== true) return "the channel is closed already";
  checkClose(code as number, reason as string);
  // Told first: an end that comes within the call makes the timeline complete.
  table.tell(channel.publicChannel, "operator", "closed from the inspector");
  channel.close(code as number, reason as string);
  return undefined;
}

async function publish(given: Loose, { stores }: ActionContext): Promise<string | undefined> {
  const name = toGroupName(given);
  const watched = name === null ? undefined : stores.get(name.store);
  if (name === null || watched === undefined) return "there is no such store";
  const { data, form } = given;
  if (typeof data !== "string") return "data is a text";
  await watched.store.publish(name.group, form === "json" ? toJson(data) : data);
  return undefined;
}

function toJson(text: string): ReturnType<typeof json> {
  try {
    return json(JSON.parse(text));
  } catch (error) {
    throw new ChannelError("BAD_DATA", "the message is not JSON", { cause: error });
  }
}
