// Listeners by the rules of EventTarget (DOM §2.9), for every event of a connection.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Connection } from "../../src/client/connection.ts";
import { Network, settle } from "./network.ts";

type Register = "onMessage" | "onOpen" | "onState" | "onError" | "onClose";
const EVENTS: readonly Register[] = ["onMessage", "onOpen", "onState", "onError", "onClose"];

/** An open connection, and what makes it tell this event once. */
async function telling(event: Register): Promise<{ connection: Connection; tell: () => Promise<void> }> {
  const network = new Network();
  const connection = event === "onOpen" || event === "onState" ? network.connect() : await network.opened("websocket");
  await settle();
  const causes: Record<Register, () => void> = {
    onMessage: () => network.socket().hear("mA"),
    onOpen: () => network.socket().open(),
    onState: () => network.socket().open(),
    onError: () => network.socket().hear("x"),
    onClose: () => void connection.close(),
  };
  return {
    connection,
    tell: async () => {
      causes[event]();
      await settle();
    },
  };
}

describe("Listeners of a connection", () => {
  for (const event of EVENTS) {
    it(`are functions: anything else is BAD_OPTION where it is given (${event})`, async () => {
      const { connection } = await telling(event);
      for (const listener of [undefined, null, 5, "x", {}]) {
        assert.throws(() => connection[event](listener as never), { code: "BAD_OPTION" });
      }
    });

    it(`a listener added during an event does not receive it (${event})`, async () => {
      const { connection, tell } = await telling(event);
      let calls = 0;
      const add = (): void => {
        calls += 1;
        if (calls < 100) off = connection[event](renewed);
      };
      const renewed = (): void => {
        off();
        add();
      };
      let off = connection[event](renewed);
      await tell();
      assert.equal(calls, 1);
    });

    it(`a listener removed during an event does not receive it (${event})`, async () => {
      const { connection, tell } = await telling(event);
      let calls = 0;
      connection[event](() => off());
      const off = connection[event](() => void (calls += 1));
      await tell();
      assert.equal(calls, 0);
    });

    it(`are as many as there are registrations, even of one function (${event})`, async () => {
      const { connection, tell } = await telling(event);
      let calls = 0;
      const fn = (): void => void (calls += 1);
      connection[event](fn);
      const off = connection[event](fn);
      connection[event](fn);
      off();
      off();
      await tell();
      assert.equal(calls, 2);
    });
  }

  for (const event of EVENTS) {
    it(`are told in the order in which they were added, and one that throws stops none (${event})`, async () => {
      const { connection, tell } = await telling(event);
      const order: string[] = [];
      const errors: unknown[] = [];
      if (event !== "onError") connection.onError((error) => errors.push((error as Error).message));
      else connection.onError(() => order.push("0"));
      connection[event](() => void order.push("1"));
      connection[event](() => {
        order.push("2");
        if (event !== "onError") throw new Error("mine");
      });
      connection[event](() => void order.push("3"));
      await tell();
      assert.deepEqual(order, event === "onError" ? ["0", "1", "2", "3"] : ["1", "2", "3"]);
      assert.deepEqual(errors, event === "onError" ? [] : ["mine"]);
    });

    it(`a listener added after the end may be removed, and receives only \`close\` (${event})`, async () => {
      const { connection } = await telling(event);
      connection.close(4000, "done");
      await settle();
      let calls = 0;
      const off = connection[event](() => void (calls += 1));
      connection[event](() => void (calls += 100))();
      await settle();
      assert.equal(calls, event === "onClose" ? 1 : 0);
      off();
      off();
      await settle();
      assert.equal(calls, event === "onClose" ? 1 : 0);
    });

    it(`may take away themselves while they are told (${event})`, async () => {
      const { connection, tell } = await telling(event);
      let calls = 0;
      const off = connection[event](() => {
        calls += 1;
        off();
      });
      connection[event](() => void (calls += 10));
      await tell();
      assert.equal(calls, 11);
    });
  }

  it("hear nothing behind `close`, which one that was told before has caused", async () => {
    for (const event of ["onMessage", "onOpen", "onState"] as const) {
      const { connection, tell } = await telling(event);
      const order: string[] = [];
      connection[event](() => void connection.close());
      connection.onState((state) => order.push(state));
      connection.onOpen(() => order.push("open!"));
      connection.onMessage(() => order.push("message"));
      connection.onClose(() => order.push("close"));
      await tell();
      assert.equal(order.at(-1), "close", `${event}: ${order}`);
      assert.equal(order.filter((entry) => entry === "close").length, 1);
    }
  });

  it("a `close` listener added after the close is called, unless it is removed at once", async () => {
    const connection = await new Network().opened("websocket");
    connection.close(4000, "done");
    const heard: unknown[] = [];
    connection.onClose((close) => heard.push(close));
    connection.onClose(() => heard.push("never"))();
    connection.onClose(() => connection.onClose(() => heard.push("while it is told")));
    assert.deepEqual(heard, []);
    await settle();
    assert.deepEqual(heard, [{ by: "client", code: 4000, reason: "done", name: "application" }]);
  });

  it("may be asynchronous: what one rejects with goes to `onError`", async () => {
    const network = new Network();
    const connection = await network.opened("websocket");
    const errors: unknown[] = [];
    connection.onError((error) => errors.push((error as Error).message));
    connection.onMessage(async () => {
      throw new Error("later");
    });
    network.socket().hear("mA");
    await settle();
    assert.deepEqual(errors, ["later"]);
  });
});
