// @ts-check
// Imported before the engine: time stands still in this process, and no timer fires. A second that ends, or a tick of the server, at another operation in each
// run would change what V8 optimizes, and the count by 0.5 %.

const NOW = Date.UTC(2026, 0, 1);

Date.now = () => NOW;
Object.defineProperty(performance, "now", { value: () => 1000 });

/** The timer of which Node's would be. */
const never = { ref: () => never, unref: () => never, hasRef: () => false, refresh: () => never };

Object.assign(globalThis, {
  setTimeout: () => never,
  setInterval: () => never,
  clearTimeout() {},
  clearInterval() {},
});
