// A process of a cluster, as its clients see it: a server and a store over a backplane, and a member of each kind that can be
// told of a gap. Each writes down what it heard, in order: texts, and "reset" where it was told in the words of the guide.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { WebSocket } from "ws";
import type { Backplane } from "../../src/backplane/backplane.ts";
import { connect } from "../../src/client/index.ts";
import { EventDecoder } from "../../src/codec/sse.ts";
import {
  type ChannelRequest,
  type ChannelStore,
  createChannelStore,
  type HandlerResult,
  openSession,
  pollGroup,
  withChannel,
} from "../../src/index.ts";
import { serving } from "./serving.ts";
import { until } from "./wait.ts";
import { WsClient } from "./ws-client.ts";

export interface GapMember {
  readonly name: string;
  readonly heard: readonly string[];
}

export interface GapProcess {
  readonly store: ChannelStore;
  readonly members: readonly GapMember[];
  /** The clients go first, so that none comes back to a server that stops; the store closes the backplane. */
  close(): Promise<void>;
}

const GROUP = "g";
const RESET = { group: GROUP, reset: true };
const CARRIERS = ["websocket", "sse", "poll"] as const;
const KINDS: readonly string[] = ["event stream", "WebSocket with ids", "WebSocket with since", "poll", ...CARRIERS];

/** The members hear all that is kept, and then what comes. */
export async function gapProcess(t: TestContext, name: string, backplane: Backplane): Promise<GapProcess> {
  const store = createChannelStore({
    backplane,
    history: { size: 1000, ttlMs: 600_000 },
    onError: () => {},
  });
  // A session joins once; its client may take it up on other connections.
  const session = { open: (channel: Parameters<ChannelStore["addToGroup"]>[1]) => join(channel, true) };
  const join = (channel: Parameters<ChannelStore["addToGroup"]>[1], ids: boolean): void =>
    store.addToGroup(GROUP, channel, undefined, { since: "", ids });
  const handle = (request: ChannelRequest): HandlerResult => {
    if (request.path === "/session") return openSession(request, session);
    if (request.path === "/poll") return pollGroup(request, store, GROUP, { parkMs: 5000 });
    return withChannel(request, (channel) => join(channel, request.path === "/ids"));
  };
  const site = await serving(t, handle);
  const leaving = new AbortController();
  const url = `http://127.0.0.1:${site.server.port}`;
  const found = new Map<string, string[]>();
  const hearing = (kind: string): string[] => {
    const heard: string[] = [];
    found.set(`${kind} of ${name}`, heard);
    return heard;
  };
  void hearEvents(`${url}/events`, hearing(KINDS[0]!), leaving.signal);
  void hearSocket(await WsClient.open(t, site.target, { path: "/ids" }), hearing(KINDS[1]!), true);
  void hearSocket(await WsClient.open(t, site.target, { path: "/since" }), hearing(KINDS[2]!), false);
  void hearPolls(`${url}/poll`, hearing(KINDS[3]!), leaving.signal);
  for (const carrier of CARRIERS) {
    const heard = hearing(`session (${carrier})`);
    const connection = connect(`${url}/session`, {
      carriers: [carrier],
      signal: leaving.signal,
      WebSocket: WebSocket as never,
    });
    connection.onMessage((message) => heard.push(toText(JSON.parse(String(message)))));
    await connection.opened;
  }
  await until(() => store.size(GROUP) === KINDS.length, "all are members");
  return {
    store,
    members: [...found].map(([name, heard]) => ({ name, heard })),
    close() {
      leaving.abort();
      return store.close();
    },
  };
}

/** Resolves when all have heard the text. */
export async function allHeard(processes: readonly GapProcess[], text: string): Promise<void> {
  const members = processes.flatMap(({ members }) => members);
  for (const { name, heard } of members) {
    await until(() => heard.includes(text), `the ${name} hears ${text} after ${JSON.stringify(heard)}`);
  }
}

/** `{ group, id, data }` or `{ group, reset }`. */
function toText(message: { readonly group: string; readonly data?: string }): string {
  assert.equal(message.group, GROUP);
  if (message.data !== undefined) return message.data;
  assert.deepEqual(message, RESET);
  return "reset";
}

async function hearEvents(url: string, heard: string[], signal: AbortSignal): Promise<void> {
  const decoder = new EventDecoder();
  try {
    const response = await fetch(url, { headers: { Accept: "text/event-stream" }, signal });
    for await (const bytes of response.body!) {
      decoder.push(bytes);
      for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
        if (event.type === "reset") assert.deepEqual(JSON.parse(event.data), { group: GROUP });
        heard.push(event.type === "reset" ? "reset" : event.data);
      }
    }
  } catch (error) {
    if (!signal.aborted) heard.push(String(error));
  }
}

async function hearSocket(client: WsClient, heard: string[], isNumbered: boolean): Promise<void> {
  try {
    for (;;) {
      const message = String(await client.message());
      heard.push(isNumbered || message.startsWith("{") ? toText(JSON.parse(message)) : message);
    }
  } catch {
    // The test is over.
  }
}

/** The loop of the guide. */
async function hearPolls(url: string, heard: string[], signal: AbortSignal): Promise<void> {
  let since = "";
  try {
    for (;;) {
      const response = await fetch(`${url}?since=${encodeURIComponent(since)}`, { signal });
      if (response.status === 204) continue;
      if (!response.ok) return;
      const { messages, next, reset } = (await response.json()) as {
        readonly messages: readonly { readonly data: string }[];
        readonly next: string;
        readonly reset: boolean;
      };
      if (reset) heard.push("reset");
      heard.push(...messages.map(({ data }) => data));
      since = next;
    }
  } catch (error) {
    if (!signal.aborted) heard.push(String(error));
  }
}
