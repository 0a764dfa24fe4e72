// Waiting in tests: for conditions, never for time. The only time here is the one after which a test has failed.

/** Far above what any condition needs on a busy machine. */
const PATIENCE_MS = 20_000;

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue;
    reject = onError;
  });
  return { promise, resolve, reject };
}

/** The promise's value; fails with `what` when it does not come. */
export function within<T>(promise: Promise<T>, what: () => string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`waited in vain for ${what()}`)), PATIENCE_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Resolves when `isTrue`; asked at every turn of the event loop. */
export async function until(isTrue: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await turn();
  }
}

/** One turn of the event loop with a little rest, so that sockets get theirs. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

/**
 * Resolves when `value` has stayed the same for a while: for "nothing more comes". Whoever waits like this proves that
 * something stopped, and afterwards that it goes on.
 */
export async function settled(value: () => unknown, turns = 15): Promise<void> {
  let last = value();
  for (let quiet = 0; quiet < turns; quiet++) {
    await turn();
    const now = value();
    if (now !== last) quiet = 0;
    last = now;
  }
}

/** Resolves when the promise of `isTrue` is true. */
export async function untilAsync(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
