// The state of an object that seldom changes it, with the table of its legal moves. Where requests or messages pass, and for
// objects that each connection has, `linkStates` needs neither a lookup nor an object.

/** The states that may follow each state. */
export type Moves<State extends string> = Readonly<Record<State, readonly State[]>>;

export class StateMachine<State extends string> {
  readonly #owner: string;
  readonly #moves: Moves<State>;
  #current: State;

  /** `owner`: the object as an error names it, with its article. */
  constructor(owner: string, moves: Moves<State>, first: State) {
    this.#owner = owner;
    this.#moves = moves;
    this.#current = first;
  }

  get current(): State {
    return this.#current;
  }

  /** A method, because the compiler assumes that a property keeps its narrowed type across an `await`. */
  is(state: State): boolean {
    return this.#current === state;
  }

  /** Changes the state. Throws if there is no such move: that is a mistake of this library. */
  moveTo(state: State): void {
    if (!this.tryMoveTo(state)) throw new Error(`${this.#owner} cannot go from ${this.#current} to ${state}`);
  }

  /** Changes the state. Returns false if there is no such move. */
  tryMoveTo(state: State): boolean {
    if (!this.#moves[this.#current].includes(state)) return false;
    this.#current = state;
    return true;
  }
}
