// @ts-check
// Arguments with which a run would measure nothing, or something else than was meant.

/**
 * Says what is wrong with the arguments of a command line.
 * @param {readonly import("./row.js").Row[]} rows all that there are
 * @param {readonly string[]} names of the rows to run; all without one
 * @param {{ readonly peers?: string | undefined }} values
 * @param {Readonly<Record<string, string | undefined>>} numbers options that must be numbers above zero
 */
export function mistakesIn(rows, names, { peers }, numbers) {
  const wanted = rows.filter(({ name }) => names.length === 0 || names.includes(name));
  const known = new Set(wanted.flatMap((row) => Object.keys(row.peers)));
  return [
    ...names.filter((name) => !rows.some((row) => row.name === name)).map((name) => `no such row: ${name}`),
    ...(peers?.split(",") ?? [])
      .filter((peer) => !known.has(peer))
      .map((peer) => `no such peer: ${peer}; there are ${[...known].join(", ")}`),
    ...Object.entries(numbers)
      .filter(([, value]) => value !== undefined && !(Number(value) > 0))
      .map(([name, value]) => `--${name} ${value} is not a number above zero`),
  ];
}
