// One definition of messages for both ends, over a real server.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as v from "valibot";
import { z } from "zod";
import { connect } from "../../src/client/connect.ts";
import { jsonMessages, openSession } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import { until } from "../support/wait.ts";

const chat = jsonMessages({
  toServer: z.object({ say: z.string().max(10) }),
  toClient: v.object({ id: v.number(), say: v.string() }),
});

describe("Typed messages between a page and a server", () => {
  it("reach their handlers when both schemas allow them, and only then", async (t) => {
    let id = 0;
    const site = await serving(t, (request) =>
      openSession(request, {
        receive(message, channel) {
          const { say } = chat.server.decode(message);
          channel.send(chat.server.encode({ id: ++id, say }));
          channel.send('{"id":"none"}');
        },
      }),
    );
    const connection = connect(site.server.url, { carriers: ["stream"], codec: chat.client });
    t.after(() => connection.close());
    const said: string[] = [];
    const errors: unknown[] = [];
    connection.onMessage(({ id, say }) => said.push(`${id + 1} ${say}`));
    connection.onError((error) => errors.push((error as { code: string }).code));
    connection.send({ say: "hello" });
    await until(() => errors.length === 1, "both messages");
    assert.deepEqual([said, errors], [["2 hello"], ["BAD_MESSAGE"]]);

    // A client that checks nothing.
    const rude = connect(site.server.url, { carriers: ["stream"] });
    t.after(() => rude.close());
    rude.send('{"say":"much too long"}');
    await rude.drained();
    assert.match(site.takeMessages().join(), /^receive: message is not what its schema allows: say: /);
    assert.equal(id, 1);
  });
});
