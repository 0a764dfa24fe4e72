// A server in memory with an inspector, for one test, and what an open page is told.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { type Channel, type Handler, MemoryChannelStore, openSession, withChannel } from "../../src/index.ts";
import type { Done, Hello, Update, View } from "../../src/inspector/page/wire.ts";
import { type Inspector, type InspectorOptions, inspector } from "../../src/inspector.ts";
import { type TestServer, type TestServerOptions, testServer } from "../../src/testing/index.ts";

interface Inspected {
  readonly app: TestServer;
  readonly inspect: Inspector;
  readonly rooms: MemoryChannelStore;
  /** The channels of /chat, which are sessions, and of all other paths. */
  readonly channels: Channel[];
}

/** The inspector is at /inspect/, and lets everybody look unless the options say otherwise. */
export function inspected(
  t: TestContext,
  options: InspectorOptions = {},
  serverOptions: TestServerOptions = {},
): Inspected {
  const rooms = new MemoryChannelStore();
  const channels: Channel[] = [];
  const opened = (channel: Channel): void => {
    channels.push(channel);
    rooms.addToGroup("lobby", channel);
  };
  const handler: Handler = (request) => {
    if (request.path.startsWith("/inspect")) return inspect(request);
    return request.path === "/chat" ? openSession(request, { open: opened }) : withChannel(request, opened);
  };
  const app = testServer(handler, serverOptions);
  t.after(() => app.stop());
  const inspect = inspector(app.server, { authorize: () => true, stores: { rooms }, ...options });
  return { app, inspect, rooms, channels };
}

export const VIEW: View = {
  tab: "overview",
  channels: { text: "", transport: "all", state: "open", sort: "newest", page: 0 },
  groups: { text: "", sort: "members", page: 0 },
  channel: null,
  group: null,
  isPaused: false,
};

interface OpenPage {
  readonly connection: ReturnType<TestServer["connect"]>;
  readonly hello: Hello;
  readonly updates: Update[];
  /** Says what is shown, and resolves to the answer. */
  look(view: Partial<View>): Promise<Update>;
  /** Asks for an action, and resolves to the mistake, or null. */
  act(action: Readonly<Record<string, unknown>>): Promise<string | null>;
}

/** An open page of the inspector. */
export async function openPage(app: TestServer): Promise<OpenPage> {
  const connection = app.connect("/inspect/live");
  const updates: Update[] = [];
  const answers: Done[] = [];
  let hello: Hello | undefined;
  connection.onMessage((message) => {
    const parsed = JSON.parse(String(message)) as Done | Hello | Update;
    if (parsed.type === "hello") hello = parsed;
    else if (parsed.type === "done") answers.push(parsed);
    else updates.push(parsed);
  });
  await connection.opened;
  await app.settle();
  return {
    connection,
    hello: hello!,
    updates,
    async look(view) {
      const before = updates.length;
      connection.send(JSON.stringify({ ...VIEW, ...view }));
      await app.settle();
      return updates[before]!;
    },
    async act(action) {
      const n = answers.length + 1;
      connection.send(JSON.stringify({ n, ...action }));
      await app.settle();
      const answer = answers[n - 1]!;
      assert.equal(answer.n, n);
      return answer.error;
    },
  };
}
