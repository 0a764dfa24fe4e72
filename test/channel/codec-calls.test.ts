// Checks of a codec that an application has written: the results of `encode`, and the bytes that `decode` gets.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Channel, createChannelStore, type MessageCodec, openSession } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";

const WRONG: readonly [result: unknown, shown: string][] = [
  [undefined, "undefined"],
  [null, "null"],
  [5, "5"],
  [{ a: 1 }, "an object"],
];

describe("A codec of an application", () => {
  for (const [result, shown] of WRONG) {
    it(`is named in the error if its encode returns ${shown}, and nothing is sent or published`, async (t) => {
      const codec = { encode: () => result, decode: String } as unknown as MessageCodec<string, string>;
      const store = createChannelStore({ codec });
      let opened: Channel<string, string> | undefined;
      const app = testServer((request) =>
        openSession(request, { open: (channel) => void (opened = channel) }, { codec }),
      );
      t.after(() => app.stop());
      const heard: unknown[] = [];
      app.connect("/").onMessage((message) => heard.push(message));
      await app.settle();
      const refused = {
        code: "BAD_DATA",
        message: `this value cannot be sent: codec.encode returned ${shown}; it must return text or a Uint8Array`,
      };
      assert.throws(() => opened!.send("any"), refused);
      await assert.rejects(opened!.request("any"), refused);
      assert.throws(() => store.broadcast("g", "any"), refused);
      await assert.rejects(store.publish("g", "any"), refused);
      await app.settle();
      assert.deepEqual([heard, (await store.history("g")).messages], [[], []]);
    });
  }

  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`decodes a Uint8Array and no Buffer (${carrier})`, async (t) => {
      const got: unknown[] = [];
      const codec: MessageCodec<unknown, string> = {
        encode: (text) => text,
        decode: (message) => [(message as Uint8Array).constructor, ...(message as Uint8Array)],
      };
      const app = testServer((request) => openSession(request, { message: (value) => got.push(value) }, { codec }));
      t.after(() => app.stop());
      const connection = app.connect("/", { carriers: [carrier] });
      connection.send(Uint8Array.of(1, 2));
      await app.settle();
      connection.send(Uint8Array.of(3));
      await app.settle();
      assert.deepEqual(got, [
        [Uint8Array, 1, 2],
        [Uint8Array, 3],
      ]);
    });
  }
});
