// The client's end of a session (PROTOCOL.md): messages in order, each once, over the carrier that the selector has chosen.
// A conversation decides which records are new, keeps those that are not acknowledged, and calls the application.
// Long because each of its functions reads or changes the session and its token.

import { badOption } from "../base/bad-option.ts";
import { ChannelError } from "../base/channel-error.ts";
import type { NumberedRecord, OpenRecord } from "../codec/session-record.ts";
import { closeStatus } from "../protocol/close-status.ts";
import { ACK_MS } from "../protocol/session.ts";
import { fullJitter } from "./backoff.ts";
import type { Carrier, CarrierEvents, CarrierKind } from "./carrier.ts";
import type { CarrierEnd } from "./carrier-end.ts";
import { fatalCode, REPLACED } from "./carrier-end.ts";
import { selectCarriers } from "./carrier-selector.ts";
import { ClientSession, type KeptRecord } from "./client-session.ts";
import type { Connection, ConnectOptions, Message } from "./connection.ts";
import { debugPrinter } from "./debug.ts";
import { drains } from "./drains.ts";
import { endpointOf } from "./endpoint.ts";
import { platform, timersOf } from "./environment.ts";
import { events as connectionEvents } from "./events.ts";
import { startHttp } from "./http-carrier.ts";
import { iterate } from "./iterate.ts";
import { LINGER_MS, MAX_BUFFERED_BYTES, STABLE_MS } from "./limits.ts";
import { type AnyCodec, fromMessage, toMessage } from "./messages.ts";
import { checkClose, TRANSPORTS } from "./options.ts";
import { startWebSocket } from "./websocket-carrier.ts";

/** The kind that was selected last, by origin and permitted kinds. Kept for the life of the page. */
const selectedKinds = new Map<string, CarrierKind>();

export function converse(
  url: string | URL,
  options: ConnectOptions & { readonly codec?: AnyCodec },
): Connection<unknown, unknown> {
  const { carriers = TRANSPORTS, environment = platform, signal, codec, backoff = {} } = options;
  const { maxBufferedBytes = MAX_BUFFERED_BYTES } = options;
  const endpoint = endpointOf(url, options);
  const kinds = carriers.filter((kind) => kind !== "websocket" || endpoint.WebSocket);
  if (kinds.length === 0)
    throw badOption("there is no WebSocket here: give one as the option WebSocket, or another carrier");
  const selectionKey = `${endpoint.origin} ${kinds}`;
  const after = timersOf(environment.clock);
  const time = { now: () => environment.clock.now(), after, delay: fullJitter(backoff, environment) };
  const log = debugPrinter(options.debug);

  const events = connectionEvents();
  const waiting = drains();
  let isOffline = false;
  let session = new ClientSession();
  let token: string | undefined;
  /** The `try` of the last request for the session. */
  let tries = 0;
  /** The carrier that has the session, or had it last. */
  let carrier: Carrier | undefined;
  /** Consecutive sessions that were lost soon after they had begun. */
  let losses = 0;
  let begunAt = 0;
  /** Set while an acknowledgement is delayed, so that it covers more records. */
  let cancelAck: (() => void) | undefined;
  /** Number of `for await` loops that are behind. */
  let holders = 0;
  /** Size of the message that is being delivered. */
  let size = 0;
  /** The record that `send` is writing. */
  let sending: KeptRecord | undefined;
  /** Set once the connection was closed without a carrier: earlier messages wait for one for a while. */
  let cancelLinger: (() => void) | undefined;

  const unwatch = environment.watch((event) => {
    if (event !== "awake") isOffline = event === "offline";
    updateState();
    if (!events.ending) selector.check(event);
  });
  const onAbort = (): void => void close();
  signal?.addEventListener("abort", onAbort);
  const selector = selectCarriers(kinds, Math.max(kinds.indexOf(selectedKinds.get(selectionKey)!), 0), {
    ...time,
    start,
    onRecord(carrier, record) {
      if (record.type === "open") open(carrier, record);
      else if (record.type === "ack") {
        if (acknowledged(record.received)) carrier.flush();
        // The server's application may wait for ours (PROTOCOL.md, "Acknowledgements").
        acknowledge();
      } else if (record.type !== "heartbeat") receive(record);
    },
    hasUnacknowledged: () => session.bufferedAmount > 0,
    onEnd: carrierEnded,
    onFailure(failures, delayMs) {
      const text = failures.join("; ");
      log(`failed: ${text}; next in ${Math.round(delayMs)} ms`);
      events.fail(text, new AggregateError(failures, text));
    },
    onFinish: finish,
  });
  if (signal?.aborted) close();

  function start(kind: CarrierKind, listener: CarrierEvents): Carrier {
    let attempt = 0;
    log(`${kind}: trying`);
    const link = {
      ...listener,
      ...time,
      endpoint,
      resumption() {
        attempt = ++tries;
        const query = { try: `${attempt}` };
        return token === undefined ? query : { session: token, after: `${session.ackNumber}`, ...query };
      },
      onEnd: (why: CarrierEnd) => listener.onEnd({ attempt, ...why }),
    };
    return kind === "websocket" ? startWebSocket(link) : startHttp(kind, link);
  }

  function open(opened: Carrier, record: OpenRecord): void {
    const isSame = opened === carrier;
    carrier = opened;
    const isResumed = record.resumed && record.session === token && record.first <= session.received + 1;
    session.continueAt(record.first);
    if (isResumed && acknowledged(record.received) && isSame) opened.flush();
    // The next poll of the carrier that has the session.
    if (isResumed && isSame) return;
    const outcome = isResumed ? "resumed" : token === undefined ? "new" : "lost";
    if (isSame) forgiveLosses();
    if (outcome === "lost" && ++losses > 1) {
      const what = "the server forgets each session: are requests balanced over several processes?";
      if (isSame) return void selector.fail({ status: 200, what });
      events.fail(what);
    }
    const unacknowledged = isResumed ? [] : renew(record);
    token = record.session;
    selectedKinds.set(selectionKey, opened.kind);
    log(`${opened.kind}: open, session ${outcome}`);
    opened.begin(session, record);
    // The connection was closed without a carrier: this one only sends the earlier messages.
    if (events.ending) selector.stop();
    events.move("open");
    if (events.state === "open") events.open.tell({ session: outcome, transport: opened.kind, unacknowledged });
  }

  /** Called while a carrier has the session: one that has lived for a while was not lost at once. */
  function forgiveLosses(): void {
    if (time.now() - begunAt >= STABLE_MS) losses = 0;
  }

  /** Begins another session, which sends the messages that were never sent. Returns those that may have arrived. */
  function renew({ received, first }: OpenRecord): unknown[] {
    const values = session.values(({ sends }) => sends !== undefined);
    // Both numbers are 0, unless the server still has the session and only records of it are lost.
    session = session.renewed(received, first - 1, ({ sends }) => sends === undefined);
    begunAt = time.now();
    if (values.length > 0) waiting.reject("the session is lost");
    settleDrained();
    return values;
  }

  function receive(record: NumberedRecord): void {
    if (session.receiveNext(record)) {
      // Messages that come with the opening of each new session do not prove that the carrier works.
      if (losses < 2) selector.prove();
      if (record.type === "message") deliver(record.data);
      else if (record.retryMs === undefined) endedByServer(record.code, record.reason);
      else {
        log(`closed by the server: ${record.code} ${record.reason}, back in ${record.retryMs} ms`);
        selector.restart(record.retryMs);
        updateState();
      }
    }
    if (events.ending) return;
    if (session.isAckDue) acknowledge();
    else cancelAck ??= after(ACK_MS, acknowledge);
  }

  function deliver(data: Message): void {
    size = data.length;
    try {
      events.message.tell(fromMessage(codec, data));
    } catch (problem) {
      events.error.tell(problem);
    }
  }

  function carrierEnded(ended: Carrier, why: CarrierEnd): void {
    const { status, code, reason, attempt, refused, error } = why;
    const wasOpen = ended === carrier;
    log(`${ended.kind}: over, ${error ?? why.what}`);
    if (wasOpen) forgiveLosses();
    if (refused) {
      refused.refusal = new ChannelError("BAD_DATA", `${error}`, { cause: error });
      // The refused record is not sent again; those behind it get the earlier numbers.
      session = session.renewed(session.acknowledged, session.received, (record) => record !== refused);
      settleDrained();
      if (refused !== sending) events.error.tell(refused.refusal);
    } else if (error !== undefined) events.error.tell(error);
    let fatal = fatalCode(why, wasOpen);
    // Refusals of older requests, and of those without a token, are ignored. An abandoned request may have replaced this one.
    const isReplaced = attempt === tries && ((wasOpen && code === REPLACED) || status === 409);
    if (token !== undefined && isReplaced && !selector.takeAbandoned()) fatal = REPLACED;
    if (fatal) {
      const text = reason || (fatal === REPLACED ? "replaced" : status ? `HTTP ${status}` : "");
      endedByServer(fatal, text);
    }
    updateState();
  }

  /** Tells the application when there is no carrier any more. */
  function updateState(): void {
    if (!selector.current) events.move(isOffline ? "offline" : "reconnecting");
  }

  function acknowledge(): void {
    cancelAck?.();
    cancelAck = undefined;
    if (session.hasAck) selector.current?.acknowledge();
  }

  /** Returns true if the server acknowledges records for the first time. */
  function acknowledged(number: number): boolean {
    const isNew = session.acknowledge(number);
    if (isNew) {
      selector.prove();
      settleDrained();
    }
    return isNew;
  }

  /**
   * Acknowledges nothing until the returned function is called: the server keeps its records, and its limit applies. Several
   * loops may be behind at once.
   */
  function hold(): () => void {
    holders += 1;
    session.isHeld = true;
    return () => {
      holders -= 1;
      session.isHeld = holders > 0;
      if (!session.isHeld) selector.current?.acknowledge();
    };
  }

  function settleDrained(): void {
    if (session.bufferedAmount === 0) waiting.resolve();
    else if (events.isOver) waiting.reject("the server may not have everything");
  }

  function close(code = 1000, reason = ""): boolean {
    checkClose(code, reason);
    if (events.ending) return false;
    const isAway = !selector.current;
    const hasRest = token !== undefined || session.bufferedAmount > 0;
    const values = isAway ? session.values() : [];
    session.send({ type: "close", code, reason: `${reason}` });
    end("client", code, reason, values, () => {
      if (isAway && hasRest) {
        cancelLinger = after(LINGER_MS, finish);
        selector.check("awake");
      } else if (!selector.stop()) finish();
    });
    return true;
  }

  function endedByServer(code: number, reason: string): void {
    end("server", code, reason, session.values(), () => {
      selector.stop("server");
      finish();
    });
  }

  function end(by: "client" | "server", code: number, reason: string, values: unknown[], leave: () => void): void {
    if (events.ending) return void finish();
    events.end({ ...closeStatus(by, code, reason), ...(values.length > 0 && { unacknowledged: values }) });
    log(`closed by the ${by}: ${code} ${reason}`);
    session.isHeld = false;
    unwatch();
    signal?.removeEventListener("abort", onAbort);
    cancelAck?.();
    leave();
    events.tellEnd();
  }

  /** Ends all carriers and timers. */
  function finish(): void {
    if (!events.move("over")) return;
    cancelLinger?.();
    selector.stop();
    settleDrained();
  }

  return {
    ...events.listening,
    get state() {
      return events.state;
    },
    get transport() {
      return selector.current?.kind;
    },
    get bufferedAmount() {
      return session.bufferedAmount;
    },
    send(value) {
      const data = toMessage(codec, value);
      if (events.ending || session.bufferedAmount >= maxBufferedBytes) return false;
      const record: KeptRecord = { type: "message", data, value };
      session.send(record);
      sending = record;
      selector.current?.flush();
      sending = undefined;
      if (record.refusal) throw record.refusal;
      return true;
    },
    close,
    drained() {
      const promise = waiting.wait();
      settleDrained();
      return promise;
    },
    [Symbol.asyncIterator]: () => iterate(events, () => size, hold),
  };
}
