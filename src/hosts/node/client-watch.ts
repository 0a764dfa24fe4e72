// Finds out whether the client of an exchange of node:http still reads, where its connection does not tell: it has ended its side, or
// is not read.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../base/clock.ts";
import { ClientProbe, SilenceWatch } from "../../transport/http1/client-probe.ts";

interface WatchedExchange {
  readonly isClientGone: boolean;
  readonly isReadingPaused: boolean;
  readonly isAnswered: boolean;
  readonly bufferedAmount: number;
  abort(): void;
}

interface Messages {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export class ClientWatch {
  readonly #exchange: WatchedExchange;
  readonly #messages: Messages;
  readonly #clock: Clock;
  #probe: ClientProbe | undefined;
  #silence: SilenceWatch | undefined;

  constructor(exchange: WatchedExchange, messages: Messages, clock: Clock) {
    this.#exchange = exchange;
    this.#messages = messages;
    this.#clock = clock;
  }

  /** Sends interim responses until the client is gone, or read, or its response has begun. */
  probe(): void {
    if (this.#probe === undefined || this.#probe.isOver) {
      this.#probe = new ClientProbe(this.#clock, () => this.#sendProbe());
    }
  }

  /** Drops the connection when nothing is written to it for a while. */
  endWhenSilent(): void {
    this.#silence ??= new SilenceWatch(
      this.#clock,
      () => this.#exchange.bufferedAmount > 0,
      () => this.#exchange.abort(),
    );
  }

  wrote(): void {
    this.#silence?.wrote();
  }

  tick(): void {
    this.#probe?.tick();
  }

  stop(): void {
    this.#probe?.stop();
    this.#silence?.stop();
  }

  #sendProbe(): boolean {
    const { isAnswered, isClientGone, isReadingPaused } = this.#exchange;
    if (isAnswered || (!isClientGone && !isReadingPaused)) return false;
    const { request, response } = this.#messages;
    if (request.complete) response.writeProcessing();
    else response.writeContinue();
    return true;
  }
}
