// The ways in which a function of the application fails. What is returned is what an application may return by mistake.

export const FAILING_WAYS: Readonly<Record<string, () => unknown>> = {
  "throws an Error": () => {
    throw new Error("boom");
  },
  "throws undefined": () => {
    throw undefined;
  },
  "throws a Proxy whose traps throw": () => {
    throw hostileProxy();
  },
  rejects: () => Promise.reject(new Error("boom")),
  "rejects with undefined": () => Promise.reject(undefined),
  "rejects with a Proxy that was revoked": () => Promise.reject(revokedProxy()),
  "returns an object whose then getter throws": () => ({
    // biome-ignore lint/suspicious/noThenProperty: such objects are what is tested
    get then() {
      throw new Error("boom");
    },
  }),
  "returns an object whose then throws": () => ({
    // biome-ignore lint/suspicious/noThenProperty: such objects are what is tested
    then() {
      throw new Error("boom");
    },
  }),
  "returns a function whose then rejects": () =>
    // biome-ignore lint/suspicious/noThenProperty: such functions are what is tested
    Object.assign(() => {}, { then: (_: unknown, reject: (error: unknown) => void) => reject(new Error("boom")) }),
};

/** Everything that looks at it throws. */
export function hostileProxy(): Error {
  const trap = (): never => {
    throw new Error("trap");
  };
  return new Proxy(new Error("hidden"), { get: trap, has: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap });
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}
