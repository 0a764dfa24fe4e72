// RFC 6455 §5.5.1 and §7: the closing handshake, its codes, and failing the connection. Autobahn|Testsuite's group 7.

import assert from "node:assert/strict";
import { describe } from "node:test";
import { OPCODE } from "../../src/codec/ws-frame.ts";
import { type CloseStatus, withChannel } from "../../src/index.ts";
import { hex } from "../support/hex.ts";
import { serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";
import { closeFrame, frame, textFrame, WsClient } from "../support/ws-client.ts";
import { eachFails, echo, failed, may, must, open, should } from "./clause.ts";

const { CONTINUATION, TEXT, CLOSE, PING } = OPCODE;
const NOT_SENT = [0, 1, 999, 1004, 1005, 1006, 1015, 5000, 65_535];
const SENT = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];

describe("the closing handshake", () => {
  must("6455 §5.5.1", "a close frame is answered with a close frame", async (t) => {
    const client = await open(t);
    client.close(1000, "bye");
    assert.equal((await client.closed()).code, 1000);
  });

  should("6455 §5.5.1", "the answer echoes the status code, and has none where there was none", async (t) => {
    const site = await echo(t);
    for (const code of SENT) {
      const client = await WsClient.open(t, site.target);
      client.close(code, "reason");
      await failed(client, code);
    }
    const client = await WsClient.open(t, site.target);
    client.close();
    assert.deepEqual(await client.raw.take(2), Buffer.from(hex("88 00")));
    await client.ended();
  });

  must("6455 §5.5.1", "a close frame has no payload, or a code of two bytes and a reason", async (t) => {
    await eachFails(t, [frame(CLOSE, Uint8Array.of(3))], 1002);
    for (const reason of ["", "r", "r".repeat(123)]) {
      const client = await open(t);
      client.close(1000, reason);
      await failed(client, 1000);
    }
    await eachFails(t, [frame(CLOSE, Buffer.concat([hex("03e8"), Buffer.alloc(124, "r")]))], 1002);
  });

  must(
    "6455 §5.5.1, §7.1.4",
    "what comes behind a close frame is not processed: data, pings, a second close frame",
    async (t) => {
      for (const behind of [textFrame("late"), frame(PING, "late"), closeFrame(1001), frame(3), hex("81 00")]) {
        const client = await open(t);
        client.raw.write(Buffer.concat([closeFrame(1000), behind]));
        await failed(client, 1000);
      }
    },
  );

  must("6455 §5.5.1", "messages before the close frame are delivered and answered before it is", async (t) => {
    const client = await open(t);
    client.raw.write(Buffer.concat([textFrame("1"), frame(PING, "2"), textFrame("3"), closeFrame(1000)]));
    assert.deepEqual([await client.message(), await client.message()], ["1", "3"]);
    assert.equal(client.controls.length, 1);
    await failed(client, 1000);
  });

  may("6455 §5.5.1", "a close frame comes in the middle of a fragmented message, which is then given up", async (t) => {
    const client = await open(t);
    client.raw.write(Buffer.concat([frame(TEXT, "never", false), closeFrame(1000), frame(CONTINUATION, "whole")]));
    await failed(client, 1000);
  });

  must("6455 §5.5.1", "the server sends no data behind its own close frame", async (t) => {
    const sent: boolean[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (c) => {
        c.send("before");
        c.close(1000);
        sent.push(c.send("behind"), c.ping());
      }),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal(await client.message(), "before");
    assert.equal((await client.closed()).code, 1000);
    client.ping("no answer");
    client.close(1000);
    await client.ended();
    assert.deepEqual(sent, [false, false]);
  });

  must("6455 §5.5.1, §7.1.1", "the server ends TCP when both close frames are there, and not before", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (c) => void c.close(3000, "enough")));
    const client = await WsClient.open(t, site.target);
    assert.deepEqual(await client.closed(), { code: 3000, reason: "enough" });
    assert.equal(client.raw.isEnded, false);
    client.send("crossed on its way");
    client.close(3000);
    await client.ended();
  });

  should("6455 §7.1.1", "the server ends TCP first, and at once", async (t) => {
    const client = await open(t);
    client.close(1000);
    await failed(client, 1000);
    assert.equal(client.raw.socket.writableEnded, false);
  });

  should(
    "6455 §7.1.1",
    "a peer that does not end TCP, or never answers the close frame, is dropped in time",
    async (t) => {
      const statuses: CloseStatus[] = [];
      const site = await serving(
        t,
        (r) =>
          withChannel(r, (c) => {
            c.onClose((status) => statuses.push(status));
            if (r.path === "/close") c.close(1000);
          }),
        { closeTimeoutMs: 20 },
      );
      const deaf = await WsClient.open(t, site.target, { path: "/close" });
      const open = await WsClient.open(t, site.target);
      open.close(1000);
      await failed(open, 1000);
      assert.equal((await deaf.closed()).code, 1000);
      await until(() => site.server.stats().connections === 0, "both are gone");
      assert.equal(statuses.length, 2);
    },
  );

  may("6455 §7.1.3", "both sides close at the same time: one close frame each", async (t) => {
    const site = await serving(t, (r) => withChannel(r, (c) => c.onMessage(() => void c.close(4001, "server"))));
    const client = await WsClient.open(t, site.target);
    client.raw.write(Buffer.concat([textFrame("close!"), closeFrame(4000, "client")]));
    await failed(client, 4001);
  });

  must(
    "6455 §7.1.5, §7.1.6",
    "the application learns the code and the reason: 1005 where none came, 1006 without a close frame",
    async (t) => {
      const end = async (how: (client: WsClient) => void): Promise<readonly [number, string]> => {
        const status = deferred<CloseStatus>();
        const site = await serving(t, (r) => withChannel(r, (c) => c.onClose(status.resolve)));
        how(await WsClient.open(t, site.target));
        const { code, reason } = await status.promise;
        return [code, reason];
      };
      assert.deepEqual(await end((client) => client.close(4321, "Grund")), [4321, "Grund"]);
      assert.deepEqual(await end((client) => client.close()), [1005, ""]);
      assert.deepEqual(await end((client) => client.raw.end()), [1006, ""]);
      assert.deepEqual(await end((client) => client.raw.reset()), [1006, ""]);
    },
  );
});

describe("failing the connection", () => {
  must("6455 §7.4.1, §7.4.2", "codes that stand in no close frame fail the connection with 1002", async (t) => {
    await eachFails(
      t,
      NOT_SENT.map((code) => closeFrame(code)),
      1002,
    );
  });

  may("6455 §7.4.2", "1016 to 2999, kept for later, fail the connection with 1002", async (t) => {
    await eachFails(
      t,
      [1016, 1100, 2000, 2999].map((code) => closeFrame(code)),
      1002,
    );
  });

  must("6455 §7.4.1", "the server itself sends no code that is reserved", async (t) => {
    const errors: unknown[] = [];
    const site = await serving(t, (r) =>
      withChannel(r, (c) => {
        for (const code of NOT_SENT) {
          try {
            c.close(code);
          } catch (error) {
            errors.push((error as { code?: unknown }).code);
          }
        }
        c.close(1000);
      }),
    );
    const client = await WsClient.open(t, site.target);
    assert.equal((await client.closed()).code, 1000);
    assert.deepEqual(errors, Array(NOT_SENT.length).fill("BAD_CLOSE"));
  });

  must("6455 §7.1.7", "after it has failed a connection the server processes nothing more", async (t) => {
    const seen: unknown[] = [];
    const site = await serving(t, (r) => withChannel(r, (c) => c.onMessage((message) => seen.push(message))));
    const client = await WsClient.open(t, site.target);
    client.raw.write(Buffer.concat([textFrame("before"), frame(3), textFrame("behind")]));
    await failed(client, 1002);
    client.raw.write(textFrame("later"));
    client.raw.end();
    await until(() => site.server.stats().connections === 0, "it is gone");
    assert.deepEqual(seen, ["before"]);
  });

  should("6455 §7.1.7", "a close frame with the cause goes out first: 1002, 1007, 1008, 1009", async (t) => {
    const options = { server: { maxMessageBytes: 10, maxFragments: 2 } };
    await eachFails(t, [frame(3)], 1002, options);
    await eachFails(t, [frame(TEXT, Uint8Array.of(0xff))], 1007, options);
    const three = [frame(TEXT, "", false), frame(CONTINUATION, "", false), frame(CONTINUATION)];
    await eachFails(t, [Buffer.concat(three)], 1008, options);
    await eachFails(t, [frame(TEXT, "more than ten")], 1009, options);
  });

  should("6455 §7.4.1", "a server that goes away says 1001", async (t) => {
    const site = await echo(t);
    const client = await WsClient.open(t, site.target);
    const stopped = site.server.stop();
    assert.equal((await client.closed()).code, 1001);
    client.close(1001);
    await client.ended();
    client.raw.end();
    await stopped;
  });

  must(
    "6455 §7.1.7",
    "the bytes 0 to 255 as first and second byte of a frame are answered, or waited behind, never more",
    async (t) => {
      const site = await echo(t);
      for (let first = 0; first < 256; first++) {
        const client = await WsClient.open(t, site.target);
        client.raw.write(Uint8Array.of(first, 0x80, 0, 0, 0, 0));
        client.close(1000);
        const isWhole =
          (first & 0x70) === 0 && [1, 2, 8, 9, 10].includes(first & 0x0f) && (first >= 0x80 || (first & 8) === 0);
        let last = await client.frame();
        while (last.opcode !== CLOSE) last = await client.frame();
        const code = last.payload.length === 0 ? 1005 : last.payload.readUInt16BE();
        assert.equal(code, first === 0x88 ? 1005 : isWhole ? 1000 : 1002, first.toString(16));
        client.raw.destroy();
      }
    },
  );
});
