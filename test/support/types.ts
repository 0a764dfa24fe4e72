// Tests of types: what they say is proven by compiling them.

/** True for the same type, and for that alone. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles where the type argument is `true`. */
export function holds<_ extends true>(): void {}
