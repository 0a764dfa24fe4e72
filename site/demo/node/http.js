// The client half of node:http, as far as unichannel/testing calls it: one request over one connection in memory. The response's head is
// read here, its body by the decoders of the library.
import { ChunkedBodyDecoder, FixedBodyDecoder } from "../../../dist/src/codec/http1-body.js";
import { Buffer } from "./globals.js";

const NO_LIMITS = { maxBodyBytes: Number.MAX_SAFE_INTEGER, maxTrailerBytes: 1024, maxTrailerCount: 10 };

/** @param {{ method?: string, path: string, headers: Record<string, string>, createConnection: () => any }} options */
export function request(options) {
  return new ClientRequest(options);
}

class ClientRequest {
  /** @type {Record<string, ((...values: any[]) => void)[]>} */
  #listeners = {};
  /** @type {Uint8Array[]} */
  #body = [];
  #received = Buffer.alloc(0);
  /** @type {((bytes: Uint8Array | undefined) => void) | undefined} takes the bytes after the head; undefined: the end */
  #takeBody;
  #isOver = false;

  /** @param {{ method?: string, path: string, headers: Record<string, string>, createConnection: () => any }} options */
  constructor({ method = "GET", path, headers, createConnection }) {
    this.method = method;
    this.path = path;
    this.headers = { ...headers };
    const socket = createConnection();
    this.socket = socket;
    this.onData = (/** @type {Uint8Array} */ bytes) => this.#receive(bytes);
    socket.on("data", this.onData);
    socket.on("error", (/** @type {Error} */ error) => this.#end(error));
    socket.on("end", () => this.#takeBody?.(undefined));
    socket.on("close", () => this.#end());
  }

  /** @param {string} name @param {(...values: any[]) => void} listener */
  on(name, listener) {
    this.#listeners[name] ??= [];
    this.#listeners[name].push(listener);
    return this;
  }

  /** @param {string} name @param {string | number} value */
  setHeader(name, value) {
    this.headers[name] = String(value);
  }

  /** @param {Uint8Array} [body] */
  end(body) {
    if (body !== undefined) this.#body.push(body);
    const fields = Object.entries(this.headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.write(Buffer.from(`${this.method} ${this.path} HTTP/1.1\r\n${fields.join("")}\r\n`, "latin1"));
    for (const bytes of this.#body) this.socket.write(Buffer.from(bytes));
  }

  destroy() {
    this.socket.destroy();
    this.#end();
  }

  /** @param {Uint8Array} bytes */
  #receive(bytes) {
    if (this.#takeBody !== undefined) return this.#takeBody(bytes);
    this.#received = Buffer.concat([this.#received, bytes]);
    const end = this.#received.indexOf("\r\n\r\n");
    if (end === -1) return;
    const [status = "", ...lines] = this.#received.toString("latin1", 0, end).split("\r\n");
    const rest = this.#received.subarray(end + 4);
    const [, code, statusMessage = ""] = /^HTTP\/1\.1 (\d+) ?(.*)$/.exec(status) ?? [];
    const fields = lines.map(
      (line) => /** @type {const} */ ([line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const headers = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), value]));
    const message = {
      statusCode: Number(code),
      statusMessage,
      rawHeaders: fields.flat(),
      headers,
      body: noBody(),
      resume() {},
    };
    if (code === "101") return this.#upgrade(message, rest);
    message.body = this.#bodyOf(headers);
    this.#emit("response", message);
    if (rest.length > 0) this.#takeBody?.(rest);
  }

  /** @param {object} message @param {Uint8Array} rest */
  #upgrade(message, rest) {
    this.#isOver = true;
    this.socket.off("data", this.onData);
    this.#emit("upgrade", message, this.socket, rest);
  }

  /** @param {Record<string, string>} headers @returns {ReadableStream<Uint8Array>} */
  #bodyOf(headers) {
    const length = headers["content-length"];
    const decoder =
      headers["transfer-encoding"] === "chunked"
        ? new ChunkedBodyDecoder(NO_LIMITS)
        : new FixedBodyDecoder(Number(length ?? Number.MAX_SAFE_INTEGER));
    return new ReadableStream({
      start: (controller) => {
        this.fail = (/** @type {Error} */ error) => controller.error(error);
        if (decoder.isDone) return this.#done(controller);
        this.#takeBody = (bytes) => {
          if (bytes !== undefined) decoder.push(bytes);
          for (let piece = decoder.next(); piece !== undefined; piece = decoder.next())
            controller.enqueue(Uint8Array.from(piece));
          if (decoder.isDone || (bytes === undefined && length === undefined)) this.#done(controller);
        };
      },
      cancel: () => this.destroy(),
    });
  }

  /** @param {ReadableStreamDefaultController} controller */
  #done(controller) {
    if (this.#isOver) return;
    this.#isOver = true;
    controller.close();
    this.#takeBody = () => {};
    this.socket.end();
  }

  /** @param {Error} [error] */
  #end(error) {
    if (this.#isOver) return;
    this.#isOver = true;
    const reason = error ?? new Error("the connection ended");
    this.fail?.(reason);
    if (error !== undefined) this.#emit("error", error);
    this.#emit("close");
  }

  /** @type {((error: Error) => void) | undefined} */
  fail;

  /** @param {string} name @param {unknown[]} values */
  #emit(name, ...values) {
    for (const listener of this.#listeners[name] ?? []) listener(...values);
  }
}

function noBody() {
  return new ReadableStream({ start: (controller) => controller.close() });
}
