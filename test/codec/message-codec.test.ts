// Typed messages with the schemas that people have (https://standardschema.dev).

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { z } from "zod";
import { jsonMessages, type StandardSchema } from "../../src/codec/message-codec.ts";

const zod = jsonMessages({
  toServer: z.object({ say: z.string().max(5) }),
  toClient: z.object({ id: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) }),
});
const valibot = jsonMessages({
  toServer: v.object({ say: v.pipe(v.string(), v.maxLength(5)) }),
  toClient: v.object({
    id: v.number(),
    at: v.pipe(
      v.string(),
      v.isoTimestamp(),
      v.transform((text) => new Date(text)),
    ),
  }),
});

for (const [name, { server, client }] of [
  ["zod", zod],
  ["valibot", valibot],
] as const) {
  describe(`Messages with schemas of ${name}`, () => {
    it("go out as they were given and arrive as the receiver's schema makes them", () => {
      const say: { say: string } = server.decode(client.encode({ say: "hello" }));
      assert.deepEqual(say, { say: "hello" });
      const text = server.encode({ id: 1, at: "2026-01-02T03:04:05Z" });
      assert.equal(text, '{"id":1,"at":"2026-01-02T03:04:05Z"}');
      const { at }: { at: Date } = client.decode(text);
      assert.equal(at.getTime(), Date.UTC(2026, 0, 2, 3, 4, 5));
    });

    it("are refused when the sender's value is not allowed", () => {
      assert.throws(() => client.encode({ say: "too long" }), { code: "BAD_MESSAGE", message: /: say: / });
      // @ts-expect-error: the type says so too.
      assert.throws(() => client.encode({ say: 1 }), { code: "BAD_MESSAGE" });
    });

    it("are refused when what arrived is not allowed, no JSON, or binary", () => {
      for (const wire of ['{"say":1}', "{}", '"say"', '{"say":"too long"}', "{", "", new Uint8Array(2)]) {
        assert.throws(() => server.decode(wire), { code: "BAD_MESSAGE" }, String(wire));
      }
    });
  });
}

describe("A schema of messages", () => {
  it("must validate synchronously", () => {
    const later: StandardSchema = {
      "~standard": { version: 1, vendor: "test", validate: async (value) => ({ value }) },
    };
    assert.throws(() => jsonMessages({ toServer: later, toClient: later }).client.encode(1), { code: "BAD_OPTION" });
  });

  it("names the way to what is wrong, whatever the form of its path", () => {
    const refusing: StandardSchema = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => ({ issues: [{ message: "no", path: ["a", { key: 0 }] }, { message: "never" }] }),
      },
    };
    const { server } = jsonMessages({ toServer: refusing, toClient: refusing });
    assert.throws(() => server.decode("1"), { message: /: a\.0: no; never$/ });
  });
});
