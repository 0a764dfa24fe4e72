// Decides when the client of a WebSocket is pinged, and when it counts as lost.

import type { Heartbeat } from "../../transport/transport.ts";

export class SignsOfLife {
  /** Bytes have arrived since the last tick. */
  #isHeard = true;
  #heardAt = 0;
  #pingedAt: number | undefined;

  heard(): void {
    this.#isHeard = true;
  }

  /** Called about once a second. While reading is paused, silence means nothing. */
  tick(
    now: number,
    reading: "active" | "paused",
    { pingIntervalMs, pongTimeoutMs }: Heartbeat,
  ): "ping" | "lost" | undefined {
    if (this.#isHeard || reading === "paused") {
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
