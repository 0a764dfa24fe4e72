// Names of the Redis backplane. Keys are binary-safe, so a group's name goes in as it is; only what has no UTF-8
// is written another way. All keys share one hash tag: a process reads all its groups with one XREAD, and a Redis
// Cluster answers that only for keys of one slot.

const LONE_SURROGATE = /\p{Surrogate}/u;

export class RedisKeys {
  readonly #tag: string;

  constructor(prefix: string) {
    this.#tag = `{${prefix}}`;
  }

  /** Written once, by the first process; lost only with everything else. */
  get generation(): string {
    return `${this.#tag}:generation`;
  }

  /** The stream of a group. */
  stream(group: string): string {
    return `${this.#tag}:stream${encodeName(group)}`;
  }

  /** The number of the last message of a group. */
  counter(group: string): string {
    return `${this.#tag}:count${encodeName(group)}`;
  }

  /** The hash of who is present in a group. */
  members(group: string): string {
    return `${this.#tag}:members${encodeName(group)}`;
  }

  /** A process: a small stream that wakes its reader, and that lives as long as the process does. */
  process(id: string): string {
    return `${this.#tag}:process:${id}`;
  }
}

/** No two names give the same text. UTF-8 has no form for half a surrogate pair, so such names go in as UTF-16 units. */
function encodeName(name: string): string {
  if (!LONE_SURROGATE.test(name)) return `:${name}`;
  return `*${Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, "0")).join("")}`;
}
