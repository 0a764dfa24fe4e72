// Calls into application code. An application may throw, reject, or return an object whose `then` throws; none of it may
// end the process or reach another channel. All calls of callbacks, handlers and function options go through this file
// (test/contract/throwing.ts and test/server/callbacks.test.ts try each of them in each way).

import { ChannelError } from "./channel-error.ts";

/**
 * Calls the application. An exception or a rejection goes to `report`, which must not throw. Returns a promise, which
 * never rejects, if the application returned a promise; otherwise undefined.
 */
export function guard(call: () => unknown, report: (error: unknown) => void): Promise<void> | undefined {
  try {
    const result = call();
    return isThenable(result) ? reported(result, report) : undefined;
  } catch (error) {
    report(inspectable(error));
    return undefined;
  }
}

/** Receives the exceptions and rejections of callbacks. `Source` says which callback it was. */
export interface Reporter<Source> {
  /** Must not throw. */
  report(error: unknown, source: Source): void;
}

/** `guard` for a callback of at most two arguments: no closure is made for a call. */
export function guardCall<First, Second, Source>(
  callback: (first: First, second: Second) => unknown,
  first: First,
  second: Second,
  reporter: Reporter<Source>,
  source: Source,
): Promise<void> | undefined {
  try {
    const result = callback(first, second);
    return isThenable(result) ? reported(result, (error) => reporter.report(error, source)) : undefined;
  } catch (error) {
    reporter.report(inspectable(error), source);
    return undefined;
  }
}

/**
 * Calls a handler, and passes its result to `done` or its exception to `fail`: at once, or when its promise has
 * settled. Those functions must not throw.
 */
export function guardHandler<Input, Result>(
  handler: (input: Input) => Result | PromiseLike<Result>,
  input: Input,
  done: (input: Input, result: Result) => void,
  fail: (input: Input, error: unknown) => void,
): void {
  try {
    const result = handler(input);
    if (isThenable(result)) {
      // Its own `then` is not called here: one that is wrong may call back twice, or throw after it has called.
      Promise.resolve(result).then(
        (value) => done(input, value),
        (error) => fail(input, inspectable(error)),
      );
    } else done(input, result);
  } catch (error) {
    fail(input, inspectable(error));
  }
}

/**
 * Calls a function of the application that must answer at once: an option such as `allowedOrigins` or a codec. Passes
 * on its result and its exception. Throws BAD_OPTION if it returns a promise, which would count as true in a condition; a
 * rejection of that promise is ignored.
 *
 * @param name the function as the application knows it, for the error's text
 */
export function callSync<Result>(name: string, call: () => Result): Result {
  const result = call();
  if (!isThenable(result)) return result;
  void reported(result, () => {});
  throw new ChannelError("BAD_OPTION", `${name} returned a promise; it must answer synchronously`);
}

/**
 * Asks a function of the application for permission. Only `true` counts as yes. An exception and a promise count as no, and are
 * reported.
 */
export function isYes(name: string, call: () => unknown, report: (error: unknown) => void): boolean {
  try {
    return callSync(name, call) === true;
  } catch (error) {
    report(inspectable(error));
    return false;
  }
}

/**
 * Returns true for a promise where a value is expected. Its rejection is ignored: the promise is refused, so nobody awaits it. The
 * `then` of another thenable is not called, because that may start its work. Never throws.
 */
export function isRefusedPromise(value: unknown): boolean {
  try {
    if (value instanceof Promise) void reported(value, () => {});
    return isThenable(value);
  } catch {
    return false;
  }
}

/** Returns true for anything that `await` would wait for. Passes on the exception of a `then` getter. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  // Most callbacks return undefined, or what `send` has returned. ECMA-262 §27.2.1.3.2: only an object can be waited for.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  return typeof (value as { then?: unknown }).then === "function";
}

async function reported(result: PromiseLike<unknown>, report: (error: unknown) => void): Promise<void> {
  try {
    await result;
  } catch (error) {
    report(inspectable(error));
  }
}

/**
 * Returns the error, or a substitute for one that cannot be inspected: anything may be thrown, also a Proxy that was revoked
 * or whose traps throw. `instanceof` would then throw while the error is reported.
 */
export function inspectable(error: unknown): unknown {
  try {
    void (error instanceof Error);
    return error;
  } catch {
    return new Error("an exception that cannot be inspected");
  }
}
