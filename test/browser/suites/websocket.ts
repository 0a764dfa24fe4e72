// A browser's own WebSocket against ours: RFC 6455 as WHATWG WebSockets gives it to pages.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ChannelOptions, type CloseStatus, type Message, withChannel } from "../../../src/index.ts";
import { run } from "../engines/engine.ts";
import { BLANK, type Rig, start } from "../engines/rig.ts";

export function webSocketSuite({ newPage }: Rig): void {
  describe("A WebSocket of a browser", () => {
    it("gets text as text and binary as binary back, of every length form of RFC 6455 §5.2", async (t) => {
      const received: Message[] = [];
      const url = await start(t, (request) => {
        if (!request.isWebSocket) return BLANK;
        return withChannel(request, (channel) => {
          channel.onMessage((message) => {
            received.push(message);
            channel.send(message);
          });
        });
      });
      const page = await newPage(t);
      await page.goto(url);
      const seen = await run(page, async () => {
        const socket = new WebSocket(location.origin.replace("http", "ws"));
        socket.binaryType = "arraybuffer";
        const next = () => new Promise<string | ArrayBuffer>((resolve) => (socket.onmessage = (m) => resolve(m.data)));
        await new Promise((resolve) => (socket.onopen = resolve));
        const sizes: (number | string)[] = [];
        for (const size of [0, 1, 125, 126, 65_535, 65_536, 300_000]) {
          const bytes = Uint8Array.from({ length: size }, (_, index) => index % 251);
          socket.send(bytes);
          const answer = await next();
          const isSame =
            answer instanceof ArrayBuffer && new Uint8Array(answer).every((byte, at) => byte === bytes[at]);
          sizes.push(isSame ? answer.byteLength : "other bytes");
        }
        socket.send("é😀\0");
        const text = await next();
        socket.send(new Blob(["blob"]));
        const blob = await next();
        socket.close();
        return { sizes, text, blob: typeof blob === "string" ? blob : new TextDecoder().decode(blob) };
      });
      assert.deepEqual(seen, { sizes: [0, 1, 125, 126, 65_535, 65_536, 300_000], text: "é😀\0", blob: "blob" });
      assert.equal(received.filter((message) => typeof message === "string").length, 1);
    });

    it("gets a stream that the server sends as one message of the kind of its first part", async (t) => {
      const url = await start(t, (request) => {
        if (!request.isWebSocket) return BLANK;
        return withChannel(request, (channel) => {
          channel.send(["one ", "mess", "age"]);
          channel.send([Uint8Array.of(1, 2), Uint8Array.of(3)]);
          channel.send("last");
        });
      });
      const page = await newPage(t);
      await page.goto(url);
      const seen = await run(
        page,
        () =>
          new Promise<unknown[]>((resolve) => {
            const messages: unknown[] = [];
            const socket = new WebSocket(location.origin.replace("http", "ws"));
            socket.binaryType = "arraybuffer";
            socket.onmessage = ({ data }) => {
              messages.push(typeof data === "string" ? data : [...new Uint8Array(data)]);
              if (data === "last") resolve(messages);
            };
          }),
      );
      assert.deepEqual(seen, ["one message", [1, 2, 3], "last"]);
    });

    it("gets the sub-protocol that the server prefers of those offered (RFC 6455 §4.2.2)", async (t) => {
      const choices: ChannelOptions["protocols"][] = [["v3", "v2", "v1"], (offered) => offered.at(-1)];
      const url = await start(t, (request) => {
        if (!request.isWebSocket) return BLANK;
        const protocols = choices[Number(request.query.get("choice"))];
        return withChannel(request, () => {}, { protocols });
      });
      const page = await newPage(t);
      await page.goto(url);
      const chosen = await run(page, () => {
        const open = (query: string) =>
          new Promise<string>((resolve, reject) => {
            const socket = new WebSocket(`${location.origin.replace("http", "ws")}/?${query}`, ["v1", "v2"]);
            socket.onopen = () => resolve(socket.protocol);
            socket.onerror = () => reject(new Error(`refused: ${query}`));
          });
        return Promise.all([open("choice=0"), open("choice=1")]);
      });
      assert.deepEqual(chosen, ["v2", "v2"]);
    });

    it("and the server tell each other code and reason of their close, cleanly (RFC 6455 §7.1.5)", async (t) => {
      const closed: CloseStatus[] = [];
      const url = await start(t, (request) => {
        if (!request.isWebSocket) return BLANK;
        return withChannel(request, (channel) => {
          channel.onMessage(() => channel.close(4001, "server’s"));
          channel.onClose((status) => closed.push(status));
        });
      });
      const page = await newPage(t);
      await page.goto(url);
      const seen = await run(page, async () => {
        const close = (act: (socket: WebSocket) => void) =>
          new Promise<unknown[]>((resolve) => {
            const socket = new WebSocket(location.origin.replace("http", "ws"));
            socket.onopen = () => act(socket);
            socket.onclose = ({ code, reason, wasClean }) => resolve([code, reason, wasClean]);
          });
        return [
          await close((socket) => socket.send("close it")),
          await close((socket) => socket.close(3002, "client’s")),
          await close((socket) => socket.close()),
        ];
      });
      assert.deepEqual(seen, [
        [4001, "server’s", true],
        // The answer to a close repeats its code alone.
        [3002, "", true],
        [1005, "", true],
      ]);
      assert.deepEqual(closed, [
        { by: "server", code: 4001, reason: "server’s", name: "application" },
        { by: "client", code: 3002, reason: "client’s", name: "application" },
        { by: "client", code: 1005, reason: "", name: "no-status" },
      ]);
    });
  });
}
