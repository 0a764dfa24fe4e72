// A session store of the application that fails in every way, or answers with wrong values: each call rejects with a ChannelError.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkSessionStore, GuardedSessions } from "../../src/backplane/guarded-sessions.ts";
import { memorySessions } from "../../src/backplane/memory-sessions.ts";
import type { SessionStore } from "../../src/backplane/session-store.ts";
import { ChannelError } from "../../src/base/errors.ts";
import { VirtualClock } from "../../src/testing/index.ts";
import { sessionStoreContract } from "../contract/session-store.ts";

const THEN = "then";
const oops = (): never => {
  throw new Error("of the application");
};

/** Ways to fail of any method. */
const WAYS: Readonly<Record<string, () => unknown>> = {
  "throws an Error": oops,
  "throws undefined": () => {
    throw undefined;
  },
  rejects: () => Promise.reject(new Error("of the application")),
  "rejects with undefined": () => Promise.reject(undefined),
  "returns an object whose then throws": () => Object.fromEntries([[THEN, oops]]),
};

/** Values that a method must not resolve with. */
const WRONG: Readonly<Record<string, readonly unknown[]>> = {
  put: [undefined, null, 1, "true", {}],
  take: [undefined, null, true, {}, { type: "taken" }, { type: "taken", snapshot: "text" }, { type: "lost" }],
  claim: [undefined, null, 1, "true", {}],
  renew: [undefined, null, "t", {}, [1]],
  locate: [null, 5, {}],
  secret: [undefined, null, 5, "", {}],
};

const CALLS: Readonly<Record<Exclude<keyof SessionStore, symbol>, (store: SessionStore) => Promise<unknown>>> = {
  put: (store) => store.put("t", "A", new Uint8Array(), 1000),
  take: (store) => store.take("t", "A", { ttlMs: 1000 }),
  claim: (store) => store.claim("t", "A", 1000),
  renew: (store) => store.renew(["t"], "A", 1000),
  forget: (store) => store.forget("t", "A"),
  announce: (store) => store.announce("A", "here", 1000),
  withdraw: (store) => store.withdraw("A"),
  locate: (store) => store.locate("A"),
  secret: (store) => store.secret(),
  close: (store) => store.close(),
};

function guarded(methods: object, clock = new VirtualClock()): SessionStore {
  return new GuardedSessions(Object.assign(memorySessions({ clock }), methods), clock);
}

sessionStoreContract("in memory, guarded", async () => {
  const clock = new VirtualClock();
  const first = memorySessions({ clock });
  return {
    async open() {
      return new GuardedSessions(first.share(), clock);
    },
    async close() {},
    async pass(ms) {
      await clock.advance(ms);
    },
  };
});

describe("a method of a session store", () => {
  const unavailable = { name: "ChannelError", code: "BACKPLANE_UNAVAILABLE" };

  for (const [method, call] of Object.entries(CALLS)) {
    for (const [way, fail] of Object.entries(WAYS)) {
      it(`${method} that ${way} rejects with BACKPLANE_UNAVAILABLE`, async () => {
        await assert.rejects(call(guarded({ [method]: fail })), unavailable);
      });
    }

    it(`${method} that never settles rejects with BACKPLANE_UNAVAILABLE, and leaves no timer`, async () => {
      const clock = new VirtualClock();
      const rejected = assert.rejects(call(guarded({ [method]: () => new Promise(() => {}) }, clock)), unavailable);
      await clock.advance(60_000);
      await rejected;
      assert.equal(clock.pending, 0);
    });

    it(`${method} that works leaves no timer`, async () => {
      const clock = new VirtualClock();
      await call(guarded({}, clock));
      await new Promise(setImmediate);
      assert.equal(clock.pending, 0);
    });

    it(`${method} that rejects with a ChannelError rejects with it`, async () => {
      const error = new ChannelError("MESSAGE_TOO_BIG");
      const rejecting = (): Promise<never> => Promise.reject(error);
      await assert.rejects(call(guarded({ [method]: rejecting })), (found) => found === error);
    });
  }

  for (const [method, values] of Object.entries(WRONG)) {
    it(`${method} that resolves with a wrong value rejects with BACKPLANE_UNAVAILABLE`, async () => {
      for (const value of values) {
        const call = CALLS[method as keyof typeof CALLS](guarded({ [method]: async () => value }));
        await assert.rejects(call, unavailable, JSON.stringify(value));
      }
    });
  }
});

describe("the check of an option that is a session store", () => {
  it("takes a session store, and refuses an object without one of its methods", () => {
    checkSessionStore("sessions", memorySessions());
    for (const value of [null, undefined, 5, "redis", {}, { put() {} }]) {
      assert.throws(() => checkSessionStore("sessions", value), { code: "BAD_OPTION", message: /sessions/ });
    }
    for (const method of Object.keys(CALLS)) {
      const store = Object.assign(memorySessions(), { [method]: undefined });
      assert.throws(() => checkSessionStore("sessions", store), { code: "BAD_OPTION", message: new RegExp(method) });
    }
  });
});
