// The shape of a WebSocket over a session: WHATWG WebSockets §3.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ResumableWebSocket } from "../../src/client/resumable-web-socket.ts";
import { Network, settle } from "./network.ts";

async function opened(network: Network): Promise<{ socket: ResumableWebSocket; events: string[] }> {
  const socket = new ResumableWebSocket(network.url, "chat", network.options());
  const events: string[] = [];
  socket.onopen = () => events.push("open");
  socket.onerror = () => events.push("error");
  socket.onclose = ({ code, reason, wasClean }) => events.push(`close ${code} ${reason} ${wasClean}`);
  assert.equal(socket.readyState, socket.CONNECTING);
  await settle();
  assert.deepEqual(network.socket().protocols, ["unichannel.v1", "chat"]);
  network.socket().open();
  assert.equal(socket.readyState, ResumableWebSocket.OPEN);
  assert.deepEqual(events.splice(0), ["open"]);
  return { socket, events };
}

describe("A ResumableWebSocket", () => {
  it("sends and receives as a WebSocket does, through handlers and listeners", async () => {
    const network = new Network();
    const { socket } = await opened(network);
    const seen: unknown[] = [];
    socket.onmessage = ({ data }) => seen.push(data);
    socket.addEventListener("message", (event) => seen.push((event as MessageEvent).data));
    network.socket().taken();
    socket.send("up");
    assert.deepEqual(network.socket().taken(), ["mup"]);
    network.socket().hear("mdown");
    socket.binaryType = "arraybuffer";
    network.socket().say({ type: "message", data: Uint8Array.of(1) });
    assert.deepEqual(seen, ["down", "down", Uint8Array.of(1).buffer, Uint8Array.of(1).buffer]);
    socket.onmessage = null;
    socket.binaryType = "blob";
    network.socket().say({ type: "message", data: Uint8Array.of(65) });
    assert.equal(await (seen.at(-1) as unknown as Blob).text(), "A");
  });

  it("can stand where a WebSocket is asked for, but takes no Blob", async () => {
    const network = new Network();
    const { socket } = await opened(network);
    const plain: WebSocket = socket;
    const Constructor: typeof WebSocket = ResumableWebSocket;
    assert.ok(Constructor);
    network.socket().taken();
    assert.throws(() => plain.send(new Blob(["late"])), { code: "BAD_DATA" });
    plain.send("text");
    assert.deepEqual(network.socket().taken(), ["mtext"]);
  });

  it("stays open while the connection is lost, and loses nothing", async () => {
    const network = new Network();
    const { socket, events } = await opened(network);
    network.socket().drop();
    assert.equal(socket.readyState, socket.OPEN);
    socket.send("later");
    await network.advance(250);
    network.socket().open({ resumed: true });
    assert.deepEqual(network.socket().taken(), ["mlater"]);
    assert.deepEqual(events, []);
  });

  it("closes with 1006 when the session is lost", async () => {
    const network = new Network();
    const { socket, events } = await opened(network);
    network.socket().drop();
    await network.advance(250);
    network.socket().open({ session: "T2" });
    await settle();
    assert.deepEqual(events, ["error", "close 1006 the session is lost false"]);
    assert.equal(socket.readyState, socket.CLOSED);
    assert.equal(network.socket().isClosed, true);
  });

  it("closes with 1006 when it can keep no more", async () => {
    const network = new Network();
    const socket = new ResumableWebSocket(network.url, [], network.options({ maxBufferedBytes: 10 }));
    let code: number | undefined;
    socket.onclose = (event) => {
      code = event.code;
    };
    socket.send("0123456789");
    socket.send("0");
    await settle();
    assert.equal(code, 1006);
  });

  it("closes after its `close`, in a later turn, and once", async () => {
    const network = new Network();
    const { socket, events } = await opened(network);
    socket.close(3000, "enough");
    assert.equal(socket.readyState, socket.CLOSING);
    assert.deepEqual(events, []);
    socket.close();
    socket.send("into the void");
    await settle();
    assert.deepEqual(events, ["close 3000 enough true"]);
    assert.equal(socket.readyState, socket.CLOSED);
  });

  it("closes when the server does", async () => {
    const network = new Network();
    const { events } = await opened(network);
    network.socket().hear('c{"code":4001,"reason":"bye"}');
    await settle();
    assert.deepEqual(events, ["close 4001 bye true"]);
  });
});
