// Random numbers from a seed: a test that fails on them fails again.

/** The functions of node:crypto that tests use, from one seed (mulberry32). */
export function seeded(seed: number): { randomInt(max: number): number; randomBytes(length: number): Buffer } {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    randomInt: (max) => Math.floor((next() / 2 ** 32) * max),
    randomBytes(length) {
      const bytes = Buffer.alloc(length);
      for (let i = 0; i < length; i++) bytes[i] = next();
      return bytes;
    },
  };
}
