// The programs of docs/how-to/requests.md run as they are printed: only the port and the name of the shared file are put in.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePort } from "../support/proxies.ts";
import { blocks, type Program, start, write } from "./programs.ts";

const programs = blocks("requests", "ts");

/** Starts a server and, when it listens, its client, each in a process of its own: the requests of the page have a time limit. */
async function startBoth(t: TestContext, texts: readonly string[], shared = ""): Promise<readonly Program[]> {
  const port = await freePort();
  const file = pathToFileURL(write(t, shared)).href;
  const programs: Program[] = [];
  for (const text of texts) {
    programs.push(start(t, text.replaceAll("9090", `${port}`).replaceAll("./shop.ts", file)));
    while (!(await listens(port))) await delay(20);
  }
  return programs;
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe("the guide of requests", () => {
  it("sells what there is, and refuses what there is not", async (t) => {
    const [, client] = await startBoth(t, programs.slice(0, 2));
    await client!.printed(/REQUEST_REFUSED/);
    assert.match(client!.output(), /^2 left\nREQUEST_REFUSED sold out \{ color: 'blue' \}$/m);
  });

  it("cancels a request, and the handler that stops because of it is no error", async (t) => {
    const [server, client] = await startBoth(t, programs.slice(2, 4));
    await client!.printed(/./);
    assert.equal(client!.output(), "cancelled\n");
    // The handler has stopped, and the server has not logged it.
    await delay(200);
    assert.equal(server!.output(), "");
  });

  it("asks in both directions with one contract", async (t) => {
    const [server, client] = await startBoth(t, programs.slice(5), programs[4]);
    await server!.printed(/viewed red/);
    await client!.printed(/\{ left: 2 \}/);
    await client!.printed(/red 250/);
  });
});
