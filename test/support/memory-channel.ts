// A real channel over a transport that only writes down what it is told: for tests that need thousands of channels, or
// callbacks at chosen moments, and no network.

import { systemClock } from "../../src/base/clock.ts";
import type { Channel, ChannelHandlers } from "../../src/channel/channel.ts";
import type { ChannelContext } from "../../src/channel/context.ts";
import { makeChannel } from "../../src/channel/typed-channel.ts";
import type { OutboundMessage } from "../../src/protocol/outbound-message.ts";
import { type CloseStatus, clientLeft, closeStatus } from "../../src/transport/close-status.ts";
import { BufferBudget } from "../../src/transport/io/buffer-budget.ts";
import type { MessageForm, Transport, TransportKind, TransportListener } from "../../src/transport/transport.ts";

export interface Sent {
  readonly body: string | Uint8Array | null;
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly status: number | undefined;
  readonly fields: readonly string[];
  readonly isLast: boolean;
}

export class MemoryChannel {
  readonly channel: Channel;
  /** Messages that were sent since the test last looked. */
  readonly sent: Sent[] = [];
  readonly reports: unknown[] = [];
  /** Called with each message from inside the send. */
  onSent: ((sent: Sent) => void) | undefined;
  readonly #transport: MemoryTransport;

  constructor(kind: TransportKind = "websocket", handlers: ChannelHandlers = {}) {
    this.#transport = new MemoryTransport(kind, (sent) => {
      this.sent.push(sent);
      this.onSent?.(sent);
    });
    const settings = {
      maxBufferedBytes: 1 << 20,
      onOverflow: "close",
      heartbeat: { pingIntervalMs: 0, pongTimeoutMs: 0 },
    } as const;
    const context: ChannelContext = {
      clock: systemClock,
      report: (error: unknown) => this.reports.push(error),
      buffered: new BufferBudget(Number.POSITIVE_INFINITY),
      received: new BufferBudget(Number.POSITIVE_INFINITY),
      messages: { received: 0, sent: 0 },
      channelOverflowed() {},
      rateExceeded() {},
      channelExpired() {},
      channelEnded() {},
    };
    const channel = makeChannel(context, { transport: this.#transport, handlers, settings });
    this.channel = channel.publicChannel;
    channel.begin(undefined);
  }

  /** The bodies that were sent since the last look. */
  take(): (string | Uint8Array | null)[] {
    return this.sent.splice(0).map(({ body }) => body);
  }

  /** The client leaves. */
  leave(): void {
    this.#transport.ended(clientLeft());
  }
}

class MemoryTransport implements Transport {
  readonly kind: TransportKind;
  bufferedAmount = 0;
  #listener: TransportListener | undefined;
  readonly #onSent: (sent: Sent) => void;

  constructor(kind: TransportKind, onSent: (sent: Sent) => void) {
    this.kind = kind;
    this.#onSent = onSent;
  }

  get messageForm(): MessageForm {
    if (this.kind === "stream") return "body";
    return this.kind === "sse" ? "event" : "message";
  }

  ended(status: CloseStatus): void {
    this.#listener?.transportClosed(status);
  }

  listen(listener: TransportListener): void {
    this.#listener = listener;
  }

  open(): void {}

  closesByDefault(): boolean {
    return this.kind === "stream";
  }

  send({ body, event, status, fields }: OutboundMessage): void {
    this.#onSent({ body, id: event?.id, event: event?.event, status, fields, isLast: false });
  }

  sendLast({ body, event, status, fields }: OutboundMessage): void {
    this.#onSent({ body, id: event?.id, event: event?.event, status, fields, isLast: true });
    this.ended(closeStatus("server", 1000));
  }

  part(): void {}

  fail(code: number, reason: string): void {
    this.close(code, reason);
  }

  goodbye(): void {
    this.close(1001, "");
  }

  flush(): void {}

  close(code: number, reason: string): void {
    this.ended(closeStatus("server", code, reason));
  }

  terminate(): void {
    this.close(1006, "");
  }

  tick(): void {}
}
