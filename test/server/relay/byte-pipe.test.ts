import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { NO_BYTES } from "../../../src/base/bytes.ts";
import { joinBytes } from "../../../src/server/relay/byte-pipe.ts";
import { MemoryStream } from "../../support/memory-stream.ts";
import { lacks } from "../../support/runtime.ts";
import { until } from "../../support/wait.ts";

/** A client's connection in memory, joined to a socket whose other end is the owner's. */
async function joined(t: TestContext): Promise<{ client: MemoryStream; owner: Socket; ends: () => number }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const accepted = once(server, "connection");
  const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  const [owner] = (await accepted) as [Socket];
  t.after(() => void owner.destroy());
  const client = new MemoryStream();
  let ends = 0;
  joinBytes(client, socket, { sent: undefined, received: NO_BYTES }, () => {
    ends += 1;
  });
  return { client, owner, ends: () => ends };
}

describe("a client's connection and that of its session's owner", () => {
  it("have each other's bytes", async (t) => {
    const { client, owner } = await joined(t);
    client.arrive("to the owner");
    assert.equal(String((await once(owner, "data"))[0]), "to the owner");
    owner.write("to the client");
    await until(() => client.take() === "to the client", "the client has it");
  });

  it("end together when the owner's is gone and the client has taken everything, not earlier", {
    skip: lacks("the last bytes of a socket whose two ends end at once"),
  }, async (t) => {
    const { client, owner, ends } = await joined(t);
    client.isStalled = true;
    owner.resume();
    const isGone = once(owner, "close");
    owner.write("last words");
    owner.end();
    client.eof();
    await until(() => client.isEnded, "the owner's end has come");
    await isGone;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(client.isDestroyed, false);
    assert.equal(ends(), 0);
    client.drain();
    assert.equal(client.isDestroyed, true);
    assert.equal(client.take(), "last words");
    assert.equal(ends(), 1);
  });
});
