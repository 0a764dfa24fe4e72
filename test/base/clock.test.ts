import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { systemClock } from "../../src/base/clock.ts";
import { platform } from "../../src/client/environment.ts";

const HOUR = 3_600_000;

/** The system's date is set to another hour; time goes on. */
function setDate(t: TestContext, offsetMs: number): void {
  const { now } = Date;
  Date.now = () => now() + offsetMs;
  t.after(() => {
    Date.now = now;
  });
}

describe("a timer of the system's clock", () => {
  for (const delayMs of [Number.POSITIVE_INFINITY, 3e9, 2 ** 31]) {
    it(`a timer of ${delayMs} ms is as long as Node can keep one`, (t) => {
      const made = t.mock.method(globalThis, "setTimeout");
      const timer = systemClock.setTimer(() => assert.fail("it has fired"), delayMs);
      t.after(() => systemClock.clearTimer(timer));
      assert.equal(made.mock.calls[0]!.arguments[1], 2 ** 31 - 1);
    });
  }
});

describe("the clock that measures", () => {
  for (const [name, clock] of [
    ["of a server", systemClock],
    ["of a client", platform.clock],
  ] as const) {
    for (const offsetMs of [-12 * HOUR, -HOUR, HOUR, 12 * HOUR]) {
      it(`${name} ignores a date that is set ${offsetMs / HOUR} hours forward`, (t) => {
        const before = clock.now();
        setDate(t, offsetMs);
        const passed = clock.now() - before;
        assert.ok(passed >= 0 && passed < HOUR / 2, `${passed} ms`);
      });
    }
  }

  it("differs from the clock of the Date field, which follows the system's date", (t) => {
    setDate(t, HOUR);
    assert.ok(Math.abs(systemClock.date!() - Date.now()) < HOUR / 2);
    assert.ok(systemClock.date!() - systemClock.now() > HOUR / 2);
  });
});
