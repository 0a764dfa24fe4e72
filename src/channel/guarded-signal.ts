// An AbortSignal whose listeners may throw. Node reports the exception of a listener of an EventTarget as an uncaught one,
// which ends the process; DOM §2.9 does the same to a page's `window`. So the listeners of the signals that applications get
// are wrapped: their exceptions and rejections are reported as those of callbacks are.
//
// Signals cannot be constructed (DOM §3.2), so a new one gets another prototype. Node's own functions that take a signal
// (`fetch`, streams, timers) work with it as with any other.

import { guard } from "../base/guard.ts";

type Report = (error: unknown) => void;
type Wrapper = (event: Event) => void;
type Listener = Wrapper | { handleEvent(event: Event): void };
/** The options of the platform's methods. */
type Options = Parameters<EventTarget["addEventListener"]>[2];

const REPORTS = new WeakMap<EventTarget, Report>();

/** The wrapper of each listener: `removeEventListener`, and the rule that a listener is added once, need the same again. */
const WRAPPERS = new WeakMap<Listener, Wrapper>();
const LISTENERS = new WeakMap<Wrapper, Listener>();

/** Made for the first signal: to touch the global loads Node's class. */
let guardedPrototype: AbortSignal | undefined;

/** Returns the same signal. Exceptions of its listeners go to `report`, which must not throw. Call it before any is added. */
export function guardSignal(signal: AbortSignal, report: Report): AbortSignal {
  guardedPrototype ??= definePrototype();
  REPORTS.set(signal, report);
  return Object.setPrototypeOf(signal, guardedPrototype) as AbortSignal;
}

function definePrototype(): AbortSignal {
  class GuardedSignal extends AbortSignal {
    override addEventListener(type: string, listener: Listener, options?: Options): void {
      super.addEventListener(type, wrapperOf(listener), options);
    }

    override removeEventListener(type: string, listener: Listener, options?: Options): void {
      super.removeEventListener(type, wrapperOf(listener), options);
    }
  }
  const { get, set } = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "onabort")!;
  Object.defineProperty(GuardedSignal.prototype, "onabort", {
    configurable: true,
    get(this: AbortSignal) {
      const wrapper = get!.call(this) as Wrapper | null;
      return wrapper === null ? null : LISTENERS.get(wrapper);
    },
    set(this: AbortSignal, handler: unknown) {
      set!.call(this, typeof handler === "function" ? wrapperOf(handler as Wrapper) : null);
    },
  });
  return GuardedSignal.prototype;
}

function wrapperOf(listener: Listener): Wrapper {
  // Node refuses or ignores anything else.
  if ((typeof listener !== "object" && typeof listener !== "function") || listener === null) return listener as never;
  let wrapper = WRAPPERS.get(listener);
  if (wrapper === undefined) {
    // `this`, not `event.currentTarget`, which Node sets to null after the first listener.
    wrapper = function (this: EventTarget, event) {
      const call = (): unknown =>
        typeof listener === "function" ? listener.call(this, event) : listener.handleEvent(event);
      void guard(call, REPORTS.get(this)!);
    };
    WRAPPERS.set(listener, wrapper);
    LISTENERS.set(wrapper, listener);
  }
  return wrapper;
}
