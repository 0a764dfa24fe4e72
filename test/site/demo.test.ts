// The demo of the home page counts what the server does not keep: a "lost: 0" that could not be anything else would say nothing.
// test/browser/site.test.ts goes through the same tour in a page, with a server that keeps its promise.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { MemoryChannelStore } from "../../src/index.ts";

interface View {
  readonly sent: number;
  readonly received: number;
  readonly recent: readonly { readonly number: number }[];
  readonly lost: number;
  readonly twice: number;
}

interface Demo {
  readonly steps: Record<"cut" | "block" | "deploy", () => Promise<string>>;
  stop(): void;
}

const { startDemo } = (await import(pathToFileURL("site/demo/main.js").href)) as {
  startDemo(show: (view: View) => void): Promise<Demo>;
};

/** A server that sends each number as often as `times` says. */
function sends(t: TestContext, times: (number: number) => number): void {
  const { publish } = MemoryChannelStore.prototype;
  t.mock.method(MemoryChannelStore.prototype, "publish", async function (this: unknown, ...args: unknown[]) {
    for (let i = 0; i < times(Number(args[1])); i++) await Reflect.apply(publish, this, args);
  });
}

/** The demo, and the view that it shows once something is so. */
async function started(t: TestContext): Promise<{ demo: Demo; when(isSo: (view: View) => boolean): Promise<View> }> {
  let look = (_: View): void => undefined;
  const demo = await startDemo((view) => look(view));
  t.after(() => demo.stop());
  const when = (isSo: (view: View) => boolean): Promise<View> =>
    new Promise((resolve) => {
      look = (view) => {
        if (isSo(view)) resolve({ ...view, recent: [...view.recent] });
      };
    });
  return { demo, when };
}

describe("the demo of the home page", { timeout: 60_000 }, () => {
  it("counts a message that is lost and one that arrives twice", async (t) => {
    sends(t, (number) => (number === 2 ? 0 : number === 3 ? 2 : 1));
    const { when } = await started(t);
    const view = await when(({ received }) => received === 3);
    assert.deepEqual(
      view.recent.map(({ number }) => number),
      [1, 3, 4],
    );
    assert.deepEqual([view.sent, view.lost, view.twice], [4, 1, 1]);
  });

  it("ends a step in which a message is lost, and says so", async (t) => {
    sends(t, (number) => (number === 3 ? 0 : 1));
    const { demo, when } = await started(t);
    await when(({ received }) => received === 1);
    assert.match(await demo.steps.cut(), /away for 3 seconds\. \d+ messages waited, and 1 did not arrive\.$/);
  });
});
