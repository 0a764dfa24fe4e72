// The listeners of one event, by the rules of EventTarget (DOM §2.9): a listener that is added while an event is told does
// not hear that event, and one that was removed does not hear it either. Two registrations of one function are two.

interface Registration<E> {
  fn: ((event: E) => unknown) | undefined;
}

export class Listeners<E> {
  /** Never changed in place, so that telling an event goes through the list as it was when the event began. */
  #all: readonly Registration<E>[] = [];

  get size(): number {
    return this.#all.length;
  }

  /** Returns the function that takes this registration away. */
  add(fn: (event: E) => unknown): () => void {
    const registration: Registration<E> = { fn };
    this.#all = [...this.#all, registration];
    return () => {
      registration.fn = undefined;
      this.#all = this.#all.filter((other) => other !== registration);
    };
  }

  /** Hands each function to `call`, which must not throw. */
  each(call: (fn: (event: E) => unknown) => void): void {
    for (const { fn } of this.#all) if (fn !== undefined) call(fn);
  }
}
