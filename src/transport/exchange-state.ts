// The states of an exchange that a host answers.

/**
 * awaiting   no response has begun
 * streaming  a response has begun, and its body grows
 * ending     the response is complete, and not all of it is taken
 * over       nothing is read or written any more
 */
export type ExchangeState = "awaiting" | "streaming" | "ending" | "over";

/** Every legal move. */
const MOVES: Record<ExchangeState, readonly ExchangeState[]> = {
  awaiting: ["streaming", "ending", "over"],
  streaming: ["ending", "over"],
  ending: ["over"],
  over: [],
};

/** Returns the new state. Throws for a move that is not legal. */
export function moveExchange(from: ExchangeState, to: ExchangeState): ExchangeState {
  if (!MOVES[from].includes(to)) throw new Error(`an exchange cannot go from ${from} to ${to}`);
  return to;
}
