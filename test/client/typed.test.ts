// One definition of messages for both ends, over a real server and every carrier.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { WebSocket } from "ws";
import { z } from "zod";
import { connect } from "../../src/client/connect.ts";
import { jsonMessages, openSession, prepare } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const chat = jsonMessages({
  toServer: z.object({ say: z.string().max(10) }),
  toClient: v.object({ id: v.number(), say: v.string() }),
});

describe("Typed messages between a page and a server", () => {
  for (const carrier of ["websocket", "stream", "poll"] as const) {
    it(`reach their handlers when both schemas allow them, and only then (${carrier})`, async (t) => {
      let id = 0;
      const site = await serving(t, (request) =>
        openSession(
          request,
          {
            receive({ say }, channel) {
              channel.send({ id: ++id, say });
              assert.throws(() => channel.send({ id: "none" } as never), { code: "BAD_MESSAGE" });
              // A server that checks nothing.
              channel.send(prepare('{"id":"none"}'));
            },
          },
          { codec: chat.server },
        ),
      );
      const connection = connect(site.server.url, { carriers: [carrier], codec: chat.client, WebSocket });
      t.after(() => connection.close());
      const said: string[] = [];
      const errors: unknown[] = [];
      connection.onMessage(({ id, say }) => said.push(`${id + 1} ${say}`));
      connection.onError((error) => errors.push((error as { code: string }).code));
      connection.send({ say: "hello" });
      await until(() => errors.length === 1, "both messages");
      assert.deepEqual([said, errors], [["2 hello"], ["BAD_MESSAGE"]]);

      // A client that checks nothing.
      const rude = connect(site.server.url, { carriers: [carrier], WebSocket });
      t.after(() => rude.close());
      rude.send('{"say":"much too long"}');
      rude.send('{"say":"good"}');
      await rude.drained();
      await until(() => id === 2, "what is allowed has come");
      assert.match(site.takeMessages().join(), /^receive: message is not what its schema allows: say: [^,]*$/);
    });
  }
});
