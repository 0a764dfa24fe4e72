// When a client of a WebSocket is asked for a sign of life, and when it is taken to be gone.

import type { Heartbeat } from "../../transport/transport.ts";

export class SignsOfLife {
  /** Something has come since the last tick. */
  #isHeard = true;
  #heardAt = 0;
  #pingedAt: number | undefined;

  heard(): void {
    this.#isHeard = true;
  }

  /** Called about once a second. `isDeaf`: nothing is read, so that nothing can be heard. */
  tick(now: number, isDeaf: boolean, { pingIntervalMs, pongTimeoutMs }: Heartbeat): "ping" | "lost" | undefined {
    if (this.#isHeard || isDeaf) {
      this.#isHeard = false;
      this.#heardAt = now;
      this.#pingedAt = undefined;
    } else if (this.#pingedAt !== undefined) {
      if (now - this.#pingedAt >= pongTimeoutMs) return "lost";
    } else if (now - this.#heardAt >= pingIntervalMs) {
      this.#pingedAt = now;
      return "ping";
    }
    return undefined;
  }
}
