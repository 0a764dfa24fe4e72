// Puts a connection together: its state, the selector of its carriers, and the functions that the selector calls.

import { badOption } from "../base/bad-option.ts";
import { fullJitter } from "./backoff.ts";
import { selectCarriers } from "./carrier-selector.ts";
import { ClientSession } from "./client-session.ts";
import type { Connection, ConnectOptions } from "./connection.ts";
import type { Conversation } from "./conversation.ts";
import { debugPrinter } from "./debug.ts";
import { drains } from "./drains.ts";
import { close, finish } from "./ending.ts";
import { endpointOf } from "./endpoint.ts";
import { platform, timersOf } from "./environment.ts";
import { events as connectionEvents } from "./events.ts";
import { iterate } from "./iterate.ts";
import { MAX_BUFFERED_BYTES } from "./limits.ts";
import type { AnyCodec } from "./messages.ts";
import { TRANSPORTS } from "./options.ts";
import { acknowledge, hold, receive } from "./receiving.ts";
import { acknowledged, send, settleDrained } from "./sending.ts";
import type { SharingOwner } from "./sharing.ts";
import { carrierEnded, open, startCarrier } from "./taking-up.ts";

export function converse(
  url: string | URL,
  options: ConnectOptions & { readonly codec?: AnyCodec },
): Connection<unknown, unknown> {
  const { carriers = TRANSPORTS, environment = platform, signal, codec, backoff = {} } = options;
  const endpoint = endpointOf(url, options);
  const kinds = carriers.filter((kind) => kind !== "websocket" || endpoint.WebSocket);
  if (kinds.length === 0) throw badOption("there is no WebSocket: give the option WebSocket or another carrier");
  const time = {
    now: () => environment.clock.now(),
    after: timersOf(environment.clock),
    delay: fullJitter(backoff, environment),
    random: () => environment.random(),
  };
  const log = debugPrinter(options.debug);
  const events = connectionEvents();
  const session = new (options.requests?.Session ?? ClientSession)(() => conversation as never) as ClientSession;
  const owner: SharingOwner = {
    ...time,
    session,
    log,
    onError: (error) => events.error.tell(error),
    maxBufferedBytes: options.maxBufferedBytes ?? MAX_BUFFERED_BYTES,
    start: (kind, listener) => startCarrier(conversation, kind, listener),
    onRecord(carrier, record) {
      if (record.type === "open") open(conversation, carrier, record);
      else if (record.type === "ack") {
        if (acknowledged(conversation, record.received)) carrier.flush();
        // The server's application may wait for ours (PROTOCOL.md, "Acknowledgements").
        acknowledge(conversation);
      } else if (record.type !== "heartbeat") receive(conversation, record);
      updateState();
    },
    onEnd(carrier, end) {
      carrierEnded(conversation, carrier, end);
      updateState();
    },
    onFailure(failures, delayMs) {
      const text = failures.join("; ");
      log(`failed: ${text}; next in ${Math.round(delayMs)} ms`);
      events.fail(text, new AggregateError(failures, text));
    },
    onFinish: () => finish(conversation),
  };
  const selector = options.share
    ? options.share.select(kinds, endpoint, owner)
    : selectCarriers(kinds, endpoint.origin, owner);
  const conversation: Conversation = {
    ...time,
    endpoint,
    session,
    selector,
    events,
    drains: drains(),
    codec,
    log,
    tries: 0,
    begunAt: 0,
    losses: 0,
    size: 0,
  };

  let isOffline = false;
  const unwatch = environment.watch((event) => {
    if (event !== "awake") isOffline = event === "offline";
    updateState();
    if (!events.ending) selector.check(event);
  });
  const onAbort = (): void => void close(conversation);
  signal?.addEventListener("abort", onAbort);
  events.listening.onClose(() => {
    unwatch();
    signal?.removeEventListener("abort", onAbort);
  });
  selector.begin();
  if (signal?.aborted) onAbort();

  /** Tells the application when there is no carrier any more. */
  function updateState(): void {
    if (!selector.current) events.move(isOffline ? "offline" : "reconnecting");
  }

  return {
    ...events.listening,
    ...session.verbs,
    get state() {
      return events.state;
    },
    get transport() {
      return selector.current?.kind;
    },
    get bufferedAmount() {
      return session.bufferedAmount;
    },
    send: (value) => send(conversation, value, owner.maxBufferedBytes),
    close: (code, reason) => close(conversation, code, reason),
    drained() {
      const promise = conversation.drains.wait();
      settleDrained(conversation);
      return promise;
    },
    [Symbol.asyncIterator]: () =>
      iterate(
        events,
        () => conversation.size,
        () => hold(conversation),
      ),
  };
}
