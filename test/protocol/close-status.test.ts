// The names of close codes, which server and client share.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openSession } from "../../src/index.ts";
import { closeStatus } from "../../src/protocol/close-status.ts";
import { testServer } from "../../src/testing/index.ts";

describe("A close status", () => {
  it("names each code of RFC 6455 §7.4.1, and the ranges of §7.4.2", () => {
    const names = [1000, 1001, 1003, 1004, 1005, 1013, 1014, 2999, 3000, 4999, 5000, 999].map(
      (code) => closeStatus("client", code).name,
    );
    assert.deepEqual(names, [
      "normal",
      "going-away",
      "unsupported",
      "unknown",
      "no-status",
      "try-again-later",
      "unknown",
      "unknown",
      "application",
      "application",
      "unknown",
      "unknown",
    ]);
  });

  it("calls a server's 1000 server-close", () => {
    assert.deepEqual(closeStatus("server", 1000, "done"), {
      by: "server",
      code: 1000,
      reason: "done",
      name: "server-close",
    });
  });

  for (const by of ["server", "client"] as const) {
    it(`a session that its ${by} has closed has the same status at both ends`, async (t) => {
      const statuses: unknown[] = [];
      const app = await testServer((request) =>
        openSession(request, {
          open: (channel) => void (by === "server" && channel.close(1000, "done")),
          close: (status) => void statuses.push(status),
        }),
      );
      t.after(() => app.stop());
      const connection = app.connect("/");
      connection.onClose((status) => statuses.push(status));
      await connection.opened;
      if (by === "client") connection.close(1000, "done");
      await connection.closed;
      await app.advance(1000);
      const name = by === "server" ? "server-close" : "normal";
      assert.deepEqual(statuses, Array(2).fill({ by, code: 1000, reason: "done", name }));
    });
  }
});
