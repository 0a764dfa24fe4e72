// Key names of the Redis backplane. Keys are binary-safe, so a group's name is used as it is, unless it has no UTF-8 form. All
// keys share one hash tag: a process reads all its groups with one XREAD, which a Redis Cluster allows only within one slot.

import { badValue } from "../../base/option-values.ts";

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Checks the prefix of all keys: braces would end the hash tag. */
export function checkPrefix(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "" && !/[{}]/.test(value)) return;
  throw badValue(name, value, "some text without braces");
}

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

  /** Key of the hash of the last values of a group. */
  values(group: string): string {
    return `${this.#tag}:values${encodeName(group)}`;
  }

  /** Key of the sorted set of the keys that have a value in a group, by the numbers of their messages. */
  valueOrder(group: string): string {
    return `${this.#tag}:order${encodeName(group)}`;
  }

  /** Key of the hash of the members of a group. */
  members(group: string): string {
    return `${this.#tag}:members${encodeName(group)}`;
  }

  /** Key of the hash of the records of the service. */
  get records(): string {
    return `${this.#tag}:records`;
  }

  /** Key of a process: a small stream that wakes its reader and that lives as long as the process. */
  process(id: string): string {
    return `${this.#tag}:process:${id}`;
  }

  /** Key of the record of a session in a session store. */
  session(token: string): string {
    return `${this.#tag}:session${encodeName(token)}`;
  }

  /** Key of the address of a process in a session store. */
  address(process: string): string {
    return `${this.#tag}:address${encodeName(process)}`;
  }

  /** Key of the secret that the processes of a service share. */
  get secret(): string {
    return `${this.#tag}:secret`;
  }
}

/** Different names give different texts. Half a surrogate pair has no UTF-8 form: such names are written as UTF-16 units. */
export function encodeName(name: string): string {
  if (!LONE_SURROGATE.test(name)) return `:${name}`;
  return `*${Array.from({ length: name.length }, (_, i) => name.charCodeAt(i).toString(16).padStart(4, "0")).join("")}`;
}

/** Returns the name of which `encodeName` gave this text. */
export function decodeName(text: string): string {
  if (text.startsWith(":")) return text.slice(1);
  return (text.slice(1).match(/.{4}/g) ?? []).map((unit) => String.fromCharCode(Number.parseInt(unit, 16))).join("");
}
