// The tests of one framework with its real package: its example is started once, and used by real clients. Frameworks differ by
// named capabilities; one that a framework lacks is in its table with the reason, and docs/reference/hosts.md has it, too.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { after, before, describe, it } from "node:test";
import { WebSocket } from "ws";
import { connect } from "../../src/client/index.ts";
import { download, events, leaveAfter, textsOf } from "../examples/clients.ts";
import { until, within } from "../support/wait.ts";
import { type App, needsFrameworks, startApp } from "./app.ts";

/**
 * keepsHeaders     fields that middleware has set are in the answers of channels and in the 101 of WebSockets
 * parsesText       its body parser, or one that the example has, reads the posted messages of a session before the route
 */
export type Capability = "keepsHeaders" | "parsesText";

export interface Framework {
  /** The folder in examples/frameworks, and the value of the field X-Framework. */
  readonly name: string;
  /** The program in this folder. */
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Matches its page at "/". */
  readonly page: RegExp;
  /** The path of upgrades that another owner answers, and the subprotocol that it wants. */
  readonly otherUpgrade: {
    readonly path: (app: App) => string | Promise<string>;
    readonly protocol?: string;
    /** Whether the other owner has sent this by itself. */
    readonly says: RegExp;
  };
  /** Capabilities that it does not have, with the reason. */
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
  /** Lines that it may write to stderr by itself. */
  readonly warnings?: RegExp;
}

const CARRIERS = ["websocket", "sse", "poll"] as const;
const TIMEOUT_MS = 120_000;

export function frameworkSuite(framework: Framework, more: (app: () => App) => void = () => {}): void {
  const { name } = framework;
  const skip = needsFrameworks();
  const without = (capability: Capability) => skip || (framework.lacks[capability] ?? false);

  describe(`examples/frameworks/${name}`, { skip, timeout: TIMEOUT_MS }, () => {
    let app: App;
    const open: WebSocket[] = [];
    before(async () => {
      app = await startApp(name, framework.program, framework.env);
    });
    after(async () => {
      for (const socket of open) socket.terminate();
      await app?.stop();
    });

    const live = (query = "") => `${app.url}/live?user=ann${query}`;
    const socketTo = (path: string, protocols: string[] = []) => {
      const socket = new WebSocket(`${app.url.replace("http", "ws")}${path}`, protocols);
      open.push(socket);
      return socket;
    };
    const isIdle = async () => {
      const { channels } = (await (await fetch(`${app.url}/stats`)).json()) as { channels: Record<string, number> };
      return Object.values(channels).every((count) => count === 0);
    };

    it("still serves the pages of the application", async () => {
      const page = await fetch(app.url);
      assert.equal(page.status, 200);
      assert.match(await page.text(), framework.page);
      assert.equal((await fetch(`${app.url}/nothing`)).status, 404);
    });

    it("echoes over a WebSocket", async () => {
      const socket = socketTo("/live?user=ann");
      await opened(socket);
      for (const text of ["hello", "ä€😀", "x".repeat(100_000)]) {
        const echo = once(socket, "message");
        socket.send(text);
        assert.equal(String((await within(echo, () => "the echo"))[0]), text);
      }
      socket.close(4000, "enough");
      assert.equal((await within(once(socket, "close"), () => "the close"))[0], 4000);
    });

    it("sends events of an event stream as they come, and a plain stream's parts", async () => {
      const found = await events(live(), {}, 3);
      assert.deepEqual(
        found.map((text) => /data: ?(\d)/.exec(text)?.[1]),
        ["1", "2", "3"],
      );
      // A busy machine may give this process several parts at once, but not each time.
      let isApart = false;
      for (let tries = 0; tries < 10 && !isApart; tries++) {
        const plain = await download(live());
        assert.deepEqual([plain.status, textsOf(plain).join("")], [200, "1\n2\n3\n"]);
        isApart = plain.chunks.at(-1)!.at - plain.chunks[0]!.at > 100;
      }
      assert.ok(isApart, "the parts come one after the other");
    });

    it("ends a channel whose client leaves", async () => {
      await leaveAfter(live(), 1);
      const socket = socketTo("/live?user=ann");
      await opened(socket);
      socket.terminate();
      const deadline = Date.now() + 20_000;
      while (!(await isIdle())) assert.ok(Date.now() < deadline, "all channels have ended");
    });

    it("answers a long poll when something is published", async () => {
      const first = (await (await fetch(live("&as=poll"))).json()) as { next: string };
      const poll = fetch(live(`&as=poll&since=${encodeURIComponent(first.next)}`));
      const published = await fetch(`${app.url}/news`, {
        method: "POST",
        headers: { "Content-Type": "text/plain" },
        body: "an item",
      });
      assert.ok(published.ok, `${published.status}`);
      const { messages } = (await (await poll).json()) as { messages: { data: string }[] };
      assert.deepEqual(
        messages.map(({ data }) => data),
        ["an item"],
      );
    });

    for (const carrier of CARRIERS) {
      it(`lets a client of unichannel/client send and receive over ${carrier}`, async (t) => {
        const connection = connect(live("&as=session"), { WebSocket, carriers: [carrier] });
        t.after(() => void connection.close());
        const received: unknown[] = [];
        connection.onMessage((message) => received.push(message));
        const sent = Array.from({ length: 20 }, (_, at) => `message ${at} ä€😀`);
        for (const message of sent) connection.send(message);
        await until(() => received.length >= sent.length, `all echoes have come; ${received.length} have`);
        assert.deepEqual(received, sent);
        assert.equal(connection.transport, carrier);
        connection.close();
        await connection.closed;
      });
    }

    it("asks the application's guard for every transport: 401 and 403", async () => {
      for (const [query, status] of [
        ["", 401],
        ["?user=mallory", 403],
      ] as const) {
        assert.equal((await fetch(`${app.url}/live${query}`)).status, status);
        assert.equal(
          (await fetch(`${app.url}/live${query}`, { headers: { Accept: "text/event-stream" } })).status,
          status,
        );
        assert.equal((await refused(socketTo(`/live${query}`))).statusCode, status);
      }
    });

    it("answers an upgrade for which the application has no route with its 404", async () => {
      assert.equal((await refused(socketTo("/live/nothing?user=ann"))).statusCode, 404);
    });

    it("keeps the fields that middleware has set", { skip: without("keepsHeaders") }, async () => {
      const answers = [
        await fetch(live(), { headers: { Accept: "text/event-stream" } }),
        await fetch(live()),
        await fetch(live("&as=poll")),
      ];
      for (const { headers, body } of answers) {
        assert.equal(headers.get("x-framework"), name);
        await body!.cancel();
      }
      const socket = socketTo("/live?user=ann");
      const [response] = (await within(once(socket, "upgrade"), () => "the 101")) as [IncomingMessage];
      assert.equal(response.headers["x-framework"], name);
      const fields = response.rawHeaders.filter((_, at) => at % 2 === 0).map((field) => field.toLowerCase());
      assert.deepEqual([...new Set(fields)].sort(), fields.sort(), "no field comes twice");
      socket.terminate();
    });

    it("leaves the upgrades of others to them", async () => {
      const { path, protocol, says } = framework.otherUpgrade;
      const socket = socketTo(await path(app), protocol === undefined ? [] : [protocol]);
      const message = once(socket, "message");
      await opened(socket);
      assert.match(String((await within(message, () => "a message of the other owner"))[0]), says);
      socket.terminate();
    });

    more(() => app);

    it("ends its channels when it is stopped, and its process with status 0", async () => {
      const socket = socketTo("/live?user=ann");
      await opened(socket);
      const closed = once(socket, "close");
      const stopped = app.stop();
      assert.equal((await within(closed, () => "the close"))[0], 1001);
      assert.deepEqual(await stopped, { code: 0, signal: null }, app.output());
      const lines = app.stderr().split("\n");
      const unexpected = lines.filter((line) => line !== "" && framework.warnings?.test(line) !== true);
      assert.deepEqual(unexpected, [], "writes nothing to stderr");
    });
  });
}

async function opened(socket: WebSocket): Promise<void> {
  await within(once(socket, "open"), () => "the WebSocket to open");
}

/** The response to an upgrade that is refused. */
async function refused(socket: WebSocket): Promise<IncomingMessage> {
  socket.on("error", () => {});
  const [, response] = (await within(once(socket, "unexpected-response"), () => "a refusal")) as [
    unknown,
    IncomingMessage,
  ];
  response.resume();
  socket.terminate();
  return response;
}
