// A table of moves as objects that refer to each other, for a state machine that runs for each request or message: reading
// `state.close` costs 3 instructions, and looking up two names that vary, `MOVES[state][step]`, 160.

/** A state, with the state after each step; undefined if the step has no effect. */
export type LinkedState<Name extends string, Step extends string> = { readonly name: Name } & {
  readonly [S in Step]: LinkedState<Name, Step> | undefined;
};

/** Makes the states of a table, all of one shape: each has all `steps`, in their order. */
export function linkStates<Name extends string, Step extends string>(
  moves: Record<Name, Partial<Record<Step, Name>>>,
  steps: readonly Step[],
): Record<Name, LinkedState<Name, Step>> {
  const names = Object.keys(moves) as Name[];
  const states = Object.fromEntries(names.map((name) => [name, emptyState(name, steps)]));
  for (const name of names) {
    for (const [step, next] of Object.entries<Name | undefined>(moves[name])) states[name]![step] = states[next!];
  }
  return states as Record<Name, LinkedState<Name, Step>>;
}

function emptyState(name: string, steps: readonly string[]): Record<string, unknown> {
  const state: Record<string, unknown> = { name };
  for (const step of steps) state[step] = undefined;
  return state;
}
