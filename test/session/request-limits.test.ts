// The length of a request's data counts as that of a message, whatever its coding adds on the wire.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSession } from "../../src/index.ts";
import { serving } from "../support/serving.ts";
import { type Endpoint, opened, poll, post, SocketClient } from "../support/session-client.ts";

const LONGEST = 10_000;

/** Requests whose data has this many bytes, in each coding. */
const contents = (length: number): readonly string[] => [
  `ask 1\n${"x".repeat(length)}`,
  `ask 1\n${"ß".repeat(Math.floor(length / 2))}${"x".repeat(length % 2)}`,
  `ask 1 escaped\n${"\\r".repeat(length)}`,
  `ask 1 bytes\n${Buffer.alloc(length).toString("base64")}`,
];

describe("a request", () => {
  for (const [index, coding] of ["text", "wide text", "escaped", "bytes"].entries()) {
    it(`may have maxMessageBytes of data, and no more (${coding})`, async (t) => {
      const { target } = await serving(t, (request) =>
        openSession(request, { request: () => "done" }, { maxMessageBytes: LONGEST }),
      );
      const endpoint: Endpoint = { ...target, pathname: "/session" };
      const right = contents(LONGEST)[index]!;
      const wrong = contents(LONGEST + 1)[index]!;
      const socket = await SocketClient.open(t, endpoint, { requests: 1 });
      await socket.opened();
      socket.ws.send(`r${right}`);
      assert.deepEqual(await socket.record(), { type: "request", data: "reply 1\ndone" });
      socket.ws.send(`r${wrong.replace("1", "2")}`);
      assert.equal((await socket.closed()).code, 1009);
      const { session } = opened(await poll(t, endpoint, { requests: 1 }));
      assert.equal((await post(t, endpoint, session, 1, { type: "request", data: wrong })).status, 413);
      assert.equal((await post(t, endpoint, session, 1, { type: "request", data: right })).status, 200);
    });
  }
});
