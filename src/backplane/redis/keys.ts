// Key names of the Redis backplane. Keys are binary-safe, so a group's name is used as it is, unless it has no UTF-8 form. All
// keys share one hash tag: a process reads all its groups with one XREAD, which a Redis Cluster allows only within one slot.

const LONE_SURROGATE = /\p{Surrogate}/u;

export class RedisKeys {
  readonly #tag: string;

  constructor(prefix: string) {
    this.#tag = `{${prefix}}`;
  }

  /** Key of the generation: written once, by the first process, and lost only with all other data. */
  get generation(): string {
    return `${this.#tag}:generation`;
  }

  /** Key of a group's stream. */
  stream(group: string): string {
    return `${this.#tag}:stream${encodeName(group)}`;
  }

  /** Key of the number of a group's last message. */
  counter(group: string): string {
    return `${this.#tag}:count${encodeName(group)}`;
  }

  /** Key of the hash of the members of a group. */
  members(group: string): string {
    return `${this.#tag}:members${encodeName(group)}`;
  }

  /** Key of a process: a small stream that wakes its reader and that lives as long as the process. */
  process(id: string): string {
    return `${this.#tag}:process:${id}`;
  }
}

/** Different names give different texts. Half a surrogate pair has no UTF-8 form: such names are written as UTF-16 units. */
function encodeName(name: string): string {
  if (!LONE_SURROGATE.test(name)) return `:${name}`;
  return `*${Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, "0")).join("")}`;
}
