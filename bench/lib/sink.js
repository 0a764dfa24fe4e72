// @ts-check
// A byte stream (src/transport/io/byte-stream.ts) whose other end accepts everything at once: the engine runs without sockets.

export class Sink {
  /** @type {any} */
  listener;
  bufferedAmount = 0;
  /** @type {string | undefined} */
  remoteAddress = "127.0.0.1";
  isEncrypted = false;
  written = 0;
  writes = 0;
  /** @param {string | Uint8Array | (string | Uint8Array)[]} output */
  write(output) {
    this.written += output.length;
    this.writes++;
  }
  end() {}
  destroy() {}
  pause() {}
  resume() {}
}
