// One definition of messages for both ends, over every carrier.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { z } from "zod";
import type { Connection } from "../../src/client/index.ts";
import { jsonMessages, openSession, prepare } from "../../src/index.ts";
import { testServer } from "../../src/testing/index.ts";
import { holds, type Same } from "../support/types.ts";

const chat = jsonMessages({
  toServer: z.object({ say: z.string().max(10) }),
  toClient: v.object({ id: v.number(), say: v.string() }),
});

describe("Typed messages between a page and a server", () => {
  it("are sent with one argument: a connection has no option to close after a message", () => {
    holds<Same<Parameters<Connection<string, number>["send"]>, [data: number]>>();
  });

  for (const carrier of ["websocket", "sse", "poll"] as const) {
    it(`reach their handlers when both schemas allow them, and only then (${carrier})`, async (t) => {
      let id = 0;
      const app = testServer((request) =>
        openSession(
          request,
          {
            message({ say }, channel) {
              channel.send({ id: ++id, say });
              assert.throws(() => channel.send({ id: "none" } as never), { code: "BAD_MESSAGE" });
              // A server that checks nothing.
              channel.send(prepare('{"id":"none"}'));
            },
          },
          { codec: chat.server },
        ),
      );
      t.after(() => app.stop());
      const connection = app.connect("/", { carriers: [carrier], codec: chat.client });
      const said: string[] = [];
      const errors: unknown[] = [];
      connection.onMessage(({ id, say }) => said.push(`${id + 1} ${say}`));
      connection.onError((error) => errors.push((error as { code: string }).code));
      connection.send({ say: "hello" });
      await app.settle();
      assert.deepEqual([said, errors], [["2 hello"], ["BAD_MESSAGE"]]);

      // A client that checks nothing.
      const rude = app.connect("/", { carriers: [carrier] });
      rude.send('{"say":"much too long"}');
      rude.send('{"say":"good"}');
      await app.settle();
      assert.equal(id, 2);
      const [error, ...others] = app.takeErrors() as Error[];
      assert.match(error!.message, /^message is not what its schema allows: say: /);
      assert.deepEqual(others, []);
    });
  }
});
