// The listeners of one event, by the rules of EventTarget (DOM §2.9): a listener that is added during an event is not
// called for that event, and neither is one that was removed. Two registrations of one function are two.

import { badValue } from "../base/bad-option.ts";
import { guard } from "../base/guard.ts";

type Listener<E> = (event: E) => unknown;

export interface Listeners<E> {
  readonly size: number;
  /** Returns the function that removes this registration. */
  add(fn: Listener<E>): () => void;
  tell(event: E): void;
}

/**
 * @param report called with the exception or rejection of a listener; must not throw
 * @param isDue called before each listener: an earlier one may have made the event out of date
 */
export function listeners<E>(
  report: (error: unknown) => void,
  isDue: (event: E) => boolean = () => true,
): Listeners<E> {
  /** Never changed in place: an event goes to the list as it was when the event began. */
  let all: readonly { fn: Listener<E> | undefined }[] = [];
  return {
    get size() {
      return all.length;
    },
    add(fn) {
      if (typeof fn !== "function") throw badValue("a listener", fn, "a function");
      const registration: { fn: Listener<E> | undefined } = { fn };
      all = [...all, registration];
      return () => {
        registration.fn = undefined;
        all = all.filter((other) => other !== registration);
      };
    },
    tell(event) {
      for (const { fn } of all) if (fn && isDue(event)) guard(() => fn(event), report);
    },
  };
}
