// Commands and answers as JSON over a WebSocket: WebDriver BiDi (Firefox) and the Chrome DevTools Protocol share this form.

import { once } from "node:events";
import { WebSocket } from "ws";

type Params = Readonly<Record<string, unknown>>;

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  /** BiDi: a code, and the text beside it. DevTools: an object with the text. */
  readonly error?: string | { readonly message: string };
  readonly message?: string;
}

export class JsonRpc {
  readonly #socket: WebSocket;
  #lastId = 0;
  readonly #waiting = new Map<number, (answer: Answer) => void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (text) => {
      const answer = JSON.parse(String(text)) as Answer;
      // Events have no id. The tests ask for the state instead.
      if (answer.id === undefined) return;
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    socket.on("close", () => {
      for (const tell of this.#waiting.values()) tell({ error: "the browser has closed its connection" });
    });
    socket.on("error", () => {});
  }

  static async connect(url: string): Promise<JsonRpc> {
    const socket = new WebSocket(url);
    await once(socket, "open");
    return new JsonRpc(socket);
  }

  /**
   * Resolves with the browser's answer, which `T` describes. Rejects with the browser's text.
   *
   * @param rest members beside `method` and `params`
   */
  async call<T>(method: string, params: Params = {}, rest: Params = {}): Promise<T> {
    const id = ++this.#lastId;
    const answer = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params, ...rest }));
    });
    const { error, message } = answer;
    if (error !== undefined) {
      throw new Error(`${method}: ${typeof error === "string" ? `${error}, ${message}` : error.message}`);
    }
    return answer.result as T;
  }

  close(): void {
    this.#socket.terminate();
  }
}
