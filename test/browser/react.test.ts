// unichannel/react where it lives: React's own server rendering, and StrictMode in a real browser.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { build } from "esbuild";
import { createElement, type ReactElement } from "react";
import { renderToString } from "react-dom/server";
import { z } from "zod";
import { type Connection, type RequestConnection, requests } from "../../src/client/index.ts";
import { useChannel } from "../../src/client/react.ts";
import { type Channel, type ChannelRequest, defineContract, openSession } from "../../src/index.ts";
import { holds, type Same } from "../support/types.ts";
import { settled, until } from "../support/wait.ts";
import { start } from "./engines/rig.ts";
import { newPage, skip } from "./playwright.ts";

const APP = `
  import { createElement as h, StrictMode, useState } from "react";
  import { createRoot } from "react-dom/client";
  import { useChannel } from "./dist/src/client/react.js";

  function Room({ name, url }) {
    const [lines, setLines] = useState([]);
    const { state, transport, send } = useChannel(url, { onMessage: (line) => setLines((all) => [...all, line]) });
    return h("section", { id: name }, state + " " + transport + ": " + lines.join(),
      h("button", { onClick: () => send("from " + name) }));
  }
  function App() {
    const [shown, show] = useState(["a", "b"]);
    const [url, setUrl] = useState("/one");
    Object.assign(window, { show, setUrl });
    return shown.map((name) => h(Room, { key: name, name, url }));
  }
  createRoot(document.getElementById("root")).render(h(StrictMode, null, h(App)));
`;

/** Renders anew at each message, with options that are new objects and functions each time. */
const RESTLESS = `
  import { createElement as h, StrictMode, useState } from "react";
  import { createRoot } from "react-dom/client";
  import { useChannel } from "./dist/src/client/react.js";

  function Counter() {
    const [count, setCount] = useState(0);
    const { state, send } = useChannel("/count", {
      carriers: ["websocket", "sse"],
      headers: { "X-Render": String(count) },
      params: () => ({ render: String(count) }),
      backoff: { firstMs: 500 + count },
      onMessage: () => setCount((before) => before + 1),
      onOpen: () => setCount((before) => before + 1000),
    });
    return h("b", { id: "count", onClick: () => send("x") }, state + " " + count);
  }
  createRoot(document.getElementById("root")).render(h(StrictMode, null, h(Counter)));
`;

/** Two components with one URL, of which the first has no requests. */
const UNLIKE = `
  import { Component, createElement as h, useState } from "react";
  import { createRoot } from "react-dom/client";
  import { requests } from "./dist/src/client/index.js";
  import { useChannel } from "./dist/src/client/react.js";

  class Boundary extends Component {
    state = { error: undefined };
    static getDerivedStateFromError(error) { return { error }; }
    render() { return h("p", { id: "said" }, this.state.error ? this.state.error.message : this.props.children); }
  }
  const asks = { requests: requests() };
  function Plain() { return useChannel("/one").state; }
  function Asks() {
    const { connection } = useChannel("/one", asks);
    const [reply, setReply] = useState();
    return h("b", { id: "asks", onClick: () => connection.request("x").then(setReply) }, reply ?? "ask");
  }
  Object.assign(window, {
    show: (names) => root.render(names.map((name) => h(Boundary, { key: name }, h({ Plain, Asks }[name])))),
  });
  const root = createRoot(document.getElementById("root"));
`;

/** A server of a page with this script, and of sessions. */
async function pageOf(
  t: TestContext,
  contents: string,
  session: (request: ChannelRequest) => Channel,
): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: process.cwd() },
    bundle: true,
    format: "esm",
    write: false,
    define: { "process.env.NODE_ENV": '"development"' },
  });
  return start(t, (request) => {
    if (request.path === "/app.js") {
      return { headers: { "Content-Type": "text/javascript" }, body: outputFiles[0]!.contents };
    }
    if (request.path === "/favicon.ico") return { status: 204 };
    if (request.path !== "/") return session(request);
    const body = '<!doctype html><div id="root"></div><script type="module" src="/app.js"></script>';
    return { headers: { "Content-Type": "text/html" }, body };
  });
}

function Badge(): ReactElement {
  const { state, transport, connection } = useChannel("/chat");
  return createElement("b", null, `${state} ${transport} ${connection}`);
}

const asking = defineContract({
  toServer: { requests: { rename: { input: z.string(), output: z.object({ name: z.string() }) } } },
  toClient: { events: { said: z.string() } },
});
const withRequests = { codec: asking.client.codec, requests: requests() };

/** A component of which the types are tested, beside those that need a browser. */
function Typed(): ReactElement {
  const { connection } = useChannel("/typed", {
    ...withRequests,
    onMessage: asking.client.onEvents({ said: () => {} }),
  });
  holds<Same<typeof connection, RequestConnection<Received, Sent> | undefined>>();
  const rename = (): Promise<{ name: string }> | undefined =>
    connection && asking.client.request(connection, "rename", "Ada", { signal: AbortSignal.timeout(1000) });
  const plain = useChannel("/typed", { requests: requests() });
  holds<Same<typeof plain.connection, RequestConnection | undefined>>();
  const silent = useChannel("/typed", { codec: asking.client.codec });
  holds<Same<typeof silent.connection, Connection<Received, Sent> | undefined>>();
  // @ts-expect-error: MadeWithRequests
  const wrong = (): unknown => silent.connection && asking.client.request(silent.connection, "rename", "Ada");
  return createElement("i", { onClick: rename, onInput: wrong }, String(connection));
}
type Received = ReturnType<typeof asking.client.codec.decode>;
type Sent = Parameters<typeof asking.client.codec.encode>[0];

describe("useChannel", () => {
  it("has the types of connect: with requests in its options, the connection can ask", () => {
    assert.equal(renderToString(createElement(Typed)), "<i>undefined</i>");
  });

  it("connects nowhere when it is rendered on a server", () => {
    assert.equal(renderToString(createElement(Badge)), "<b>connecting undefined undefined</b>");
  });

  it("shares one connection for a URL, through StrictMode, and closes it with the last component", {
    skip,
  }, async (t) => {
    const events: string[] = [];
    const url = await pageOf(t, APP, (request) =>
      openSession(request, {
        open: () => events.push(`open ${request.path}`),
        message: (message, channel) => channel.send(`${request.path} ${message}`),
        close: ({ by }) => events.push(`close ${request.path} by ${by}`),
      }),
    );
    const page = await newPage(t);
    await page.goto(url);
    const says = (id: string, text: string): Promise<unknown> =>
      page.waitForFunction(([name, wanted]) => document.getElementById(name!)?.textContent === wanted, [id, text]);

    for (const id of ["a", "b"]) await says(id, "open websocket: ");
    await page.click("#a button");
    for (const id of ["a", "b"]) await says(id, "open websocket: /one from a");
    await settled(() => events.length);
    assert.deepEqual(events, ["open /one"]);

    await page.evaluate("show(['b'])");
    await page.click("#b button");
    await says("b", "open websocket: /one from a,/one from b");
    assert.deepEqual(events, ["open /one"], "one of the two is still there");

    await page.evaluate("setUrl('/two')");
    await until(() => events.length === 3, `another URL is another connection: ${events}`);
    assert.deepEqual(events.slice(1).sort(), ["close /one by client", "open /two"]);
    // The server opens a session before its client knows of it: a client that leaves earlier has nothing to close.
    await page.click("#b button");
    await says("b", "open websocket: /one from a,/one from b,/two from b");

    await page.evaluate("show([])");
    await until(() => events.length === 4, `the last has gone: ${events}`);
    assert.equal(events[3], "close /two by client");
  });

  it("stays on one connection when its options are new objects at each render, in StrictMode, too", {
    skip,
  }, async (t) => {
    let opened = 0;
    let requests = 0;
    const url = await pageOf(t, RESTLESS, (request) => {
      requests += 1;
      return openSession(request, {
        open: () => (opened += 1),
        message: (_, channel) => {
          for (let id = 0; id < 20; id++) channel.send("more");
        },
      });
    });
    const page = await newPage(t);
    const problems: string[] = [];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
    await page.goto(url);
    const shows = (text: string): Promise<unknown> =>
      page.waitForFunction((wanted) => document.getElementById("count")?.textContent === wanted, text);
    await shows("open 1000");
    for (let click = 1; click <= 5; click++) {
      await page.click("#count");
      await shows(`open ${1000 + 20 * click}`);
    }
    assert.deepEqual({ opened, requests }, { opened: 1, requests: 1 });
    assert.deepEqual(problems, []);
  });

  it("says so when a component wants requests of a connection that another one has made without", {
    skip,
  }, async (t) => {
    const url = await pageOf(t, UNLIKE, (request) => openSession(request, { request: (data) => `${data} answered` }));
    const page = await newPage(t);
    await page.goto(url);
    await page.evaluate("show(['Asks'])");
    await page.click("#asks");
    await page.waitForFunction(() => document.getElementById("asks")?.textContent === "x answered");
    await page.evaluate("show(['Asks', 'Plain'])");
    await page.waitForFunction(() => document.body.textContent?.includes("open"));
    await page.evaluate("show([])");
    await page.waitForFunction(() => document.querySelector("p") === null);
    await page.evaluate("show(['Plain'])");
    await page.waitForFunction(() => document.getElementById("said")?.textContent === "open");
    await page.evaluate("show(['Plain', 'Asks'])");
    await page.waitForFunction(() => document.body.textContent?.includes("has connected to /one without requests"));
  });
});
