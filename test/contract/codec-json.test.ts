// The contract of a codec, with the codecs that the library makes: of `jsonMessages` and of `defineContract`.

import { z } from "zod";
import { jsonMessages } from "../../src/index.ts";
import { codecContract } from "./codec.ts";

const { server, client } = jsonMessages({
  toServer: z.object({ say: z.string().max(9), loud: z.boolean().default(false) }),
  toClient: z.object({ id: z.number(), at: z.iso.datetime().transform((text) => new Date(text)) }),
});

codecContract("of jsonMessages", {
  server,
  client,
  toServer: [
    [{ say: "hé\r\n\u2028" }, { say: "hé\r\n\u2028", loud: false }],
    [
      { say: "two", loud: true },
      { say: "two", loud: true },
    ],
  ],
  toClient: [
    [
      { id: 1, at: "2026-01-02T03:04:05Z" },
      { id: 1, at: new Date("2026-01-02T03:04:05Z") },
    ],
    [
      { id: 2, at: "2026-01-02T03:04:06Z" },
      { id: 2, at: new Date("2026-01-02T03:04:06Z") },
    ],
  ],
  refused: {
    toServer: [{ say: 1 }, { say: "much too long" }, undefined],
    toClient: [{ id: "1" }, { id: 1, at: "now" }],
    messages: ["", "{", "null", '{"say":1}', new Uint8Array(0), Uint8Array.of(123, 125)],
  },
});
