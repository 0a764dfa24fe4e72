// @ts-check
// The processes of a run: the parent asks, and the child answers. Each has a time limit, and the parent stops all that it has started.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** Time after which a child that does not answer is taken for hanging, unless a question says otherwise. */
const PATIENCE_MS = 60_000;

/** Everything that this process has started, in that order. @type {Set<{ stop(): Promise<void> }>} */
const started = new Set();

/** @template {{ stop(): Promise<void> }} T @param {T} thing @returns {T} */
export function owned(thing) {
  started.add(thing);
  return thing;
}

/** Stops all that was started, each once and by its process id, and at the same time: the clients of a server that has ended would come back. */
export async function stopAll() {
  const all = [...started];
  started.clear();
  await Promise.all(all.map((thing) => thing.stop()));
}

export class Child {
  #child;
  #name;
  #next = 0;
  /** @type {Map<number, { resolve(value: any): void, reject(error: Error): void }>} */
  #waiting = new Map();
  #isStopping = false;

  /** @param {string} file beside this one @param {object} config @param {readonly string[]} [nodeArgs] */
  constructor(file, config, nodeArgs = []) {
    this.#name = file;
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), [JSON.stringify(config)], {
      execArgv: ["--expose-gc", ...nodeArgs],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (/** @type {any} */ { id, value, error }) => {
      const { resolve, reject } = this.#waiting.get(id) ?? {};
      this.#waiting.delete(id);
      if (error === undefined) resolve?.(value);
      else reject?.(new Error(`${this.#name}: ${error}`));
    });
    this.#child.on("exit", (code, signal) => {
      const error = new Error(`${this.#name} ended with ${code ?? signal}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
    owned(this);
  }

  get pid() {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.#name} has no process id`);
    return pid;
  }

  /** The answer to a question. @param {string} what @param {object} [value] @param {number} [patienceMs] @returns {Promise<any>} */
  ask(what, value = {}, patienceMs = PATIENCE_MS) {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || !this.#child.connected) {
      return Promise.reject(new Error(`${this.#name} has ended`));
    }
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`${this.#name} has not answered "${what}" for ${patienceMs / 1000} s`));
      }, patienceMs);
      /** @template T @param {(value: T) => void} settle */
      const settled = (settle) => (/** @type {T} */ answer) => {
        clearTimeout(timer);
        settle(answer);
      };
      this.#waiting.set(id, { resolve: settled(resolve), reject: settled(reject) });
      this.#child.send({ id, what, value });
    });
  }

  /** Kills the process, and resolves when it has ended. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#isStopping) return;
    this.#isStopping = true;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }
}

/**
 * The child's side: answers the parent's questions, and ends with the parent.
 * @param {Readonly<Record<string, (value: any) => any>>} answers
 */
export function answer(answers) {
  process.on("message", async (/** @type {any} */ { id, what, value }) => {
    try {
      process.send?.({ id, value: (await answers[what]?.(value)) ?? {} });
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on("disconnect", () => process.exit());
}
