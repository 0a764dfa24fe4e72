// The carrier that a session has at the moment, if it has one, and when records are written to it: to a WebSocket or an event
// stream at once, to a parked poll all together at the end of the turn. While there is none, nothing is written: the session
// keeps its records, and the next carrier begins with them.
// Long because each kind of carrier is written to, suspended and ended in its own way.

import { dateOf } from "../base/clock.ts";
import type { NumberedRecord, OpenRecord } from "../codec/session-record.ts";
import type { CompactRecord } from "../protocol/session.ts";
import type { Flushable } from "../transport/io/flusher.ts";
import type { TransportKind } from "../transport/transport.ts";
import type { Carrier, CarrierOwner } from "./carrier.ts";
import { NORMAL, REPLACED } from "./close-codes.ts";
import type { SessionContext } from "./context.ts";
import { Liveness } from "./liveness.ts";
import type { ServerSession } from "./server-session.ts";

export interface CarrierRequest {
  /** The number of the last record that the client has. */
  readonly after: number;
  /** The number of the client's attempt; undefined if the client does not number its attempts. */
  readonly attempt: number | undefined;
  /** True if the client came with the token. */
  readonly isResumed: boolean;
  /** True for a poll that wants its answer at once. */
  readonly isPrompt: boolean;
}

export class CurrentCarrier implements Flushable {
  /** The kind of the carrier, or of the last one. */
  kind: TransportKind;
  /** True if the channel is ready for messages: every carrier delivers from its beginning. */
  #isOpened = false;
  readonly liveness: Liveness;
  readonly #session: ServerSession;
  readonly #context: SessionContext;
  /** Undefined while the client is away, and when the session is over. */
  #carrier: Carrier | undefined;
  /** The carrier of a session that is about to leave this process. */
  #suspended: Carrier | undefined;
  #isFlushQueued = false;

  constructor(kind: TransportKind, session: ServerSession, context: SessionContext) {
    this.kind = kind;
    this.liveness = new Liveness(session.settings);
    this.#session = session;
    this.#context = context;
  }

  /** True while there is no carrier. */
  get isAway(): boolean {
    return this.#carrier === undefined;
  }

  /** True if the carrier is a WebSocket, or the last one was. */
  get isWebSocket(): boolean {
    return this.kind === "websocket";
  }

  /** True if the carrier is a poll, or the last one was. */
  get isPoll(): boolean {
    return this.kind === "poll";
  }

  /** True if the client has had its answer to a poll a moment ago, and its next poll is to come. */
  get isBetweenPolls(): boolean {
    return this.isPoll && this.isAway && this.liveness.isConfirmed && this.liveness.hasJustLeft;
  }

  /** True if the carrier is a poll. */
  get isParked(): boolean {
    return this.#carrier?.isParked === true;
  }

  /** Ends the carrier because another request of the client has come: the next attempt, or the same one again. */
  replace(next: "newAttempt" | "sameAttempt"): void {
    const carrier = this.release();
    if (next === "newAttempt") carrier?.end(REPLACED, "replaced");
    else if (carrier !== undefined) this.#endRepeated(carrier);
  }

  /** Begins to use `carrier`, and sends the records that its client does not have. False if the carrier has ended already. */
  attach(carrier: Carrier, owner: CarrierOwner, { isResumed, isPrompt }: CarrierRequest): boolean {
    this.#carrier = carrier;
    this.kind = carrier.kind;
    this.liveness.carrierAttached();
    if (isResumed) this.liveness.isConfirmed = true;
    this.#session.continueAt(this.#session.received + 1);
    carrier.begin(owner);
    if (this.#carrier !== carrier) return false;
    if (!carrier.isParked) this.#greet(carrier, { resumed: isResumed });
    else if (isPrompt || !isResumed || this.#session.bufferedAmount > 0) this.#queueFlush();
    // The records that it was just sent may have ended the carrier.
    if (this.#carrier === carrier && this.#isOpened) this.#start(carrier);
    return true;
  }

  /** Returns the carrier, which has no owner any more. */
  release(): Carrier | undefined {
    const carrier = this.#carrier;
    if (carrier !== undefined) carrier.owner = undefined;
    this.#carrier = undefined;
    return carrier;
  }

  /** The channel is ready for messages. */
  open(): void {
    this.#isOpened = true;
    if (this.#carrier !== undefined) this.#start(this.#carrier);
  }

  /** Writes a record that the session keeps; one of a session that waits for its claim is written later. */
  write(record: CompactRecord<NumberedRecord>): void {
    if (this.#session.claim !== undefined) {
      this.#session.claim.request();
      return;
    }
    if (this.#carrier === undefined) return;
    if (this.#carrier.isParked) this.#queueFlush();
    else this.#carrier.write(record);
  }

  /** Acknowledges the messages that the application has taken, if that is due. Only a WebSocket carries acknowledgements. */
  acknowledgeIfDue(): void {
    const carrier = this.#carrier;
    if (carrier?.kind === "websocket" && this.#session.isAckDue) this.#acknowledge(carrier);
  }

  /** Acknowledges the messages that the application has taken: none of them is unacknowledged to a client that is refused next. */
  acknowledgeTaken(): void {
    if (this.#carrier?.kind === "websocket") this.#acknowledge(this.#carrier);
  }

  /** Acknowledges all records that have arrived: the last of them is the client's close. */
  acknowledgeClose(): void {
    if (this.#carrier?.kind === "websocket") this.#carrier.write({ type: "ack", received: this.#session.takeAck() });
  }

  /** Asks the client to acknowledge at once, once for each record, with an `ack` that says nothing new. */
  hurry(): void {
    const carrier = this.#carrier;
    if (carrier === undefined || carrier.isParked) return;
    // Other implementations of a client expect no `ack` on a stream; those that number their attempts understand it.
    if (carrier.kind !== "websocket" && this.#session.attempt === undefined) return;
    if (this.#session.askOnce()) this.#acknowledge(carrier);
  }

  ping(data: Uint8Array): boolean {
    return this.#carrier?.transport.ping?.(data) === true;
  }

  /** Stops reading: the session holds as much as it may. */
  pause(): void {
    this.#carrier?.transport.pause?.();
  }

  resume(): void {
    this.#carrier?.transport.resume?.();
  }

  /** Writes the records that have waited for the claim on the session. */
  claimed(): void {
    if (this.isParked) this.#queueFlush();
    else for (const record of this.#session.waited()) this.#carrier?.write(record);
  }

  /** Takes the carrier out of use, but does not end it: nothing is read or written any more. */
  suspend(): void {
    this.#suspended = this.release();
    this.#suspended?.transport.pause?.();
  }

  /** The suspended carrier is used again: the session stays. */
  resumeSuspended(owner: CarrierOwner): void {
    const carrier = this.#suspended;
    this.#suspended = undefined;
    if (carrier === undefined) return;
    carrier.owner = owner;
    this.#carrier = carrier;
    carrier.transport.resume?.();
  }

  /** Ends the suspended carrier: its client comes back, and finds the session in another process. */
  endSuspended(): void {
    const carrier = this.#suspended;
    this.#suspended = undefined;
    if (carrier === undefined) return;
    // The answer says what the snapshot says. A client that gets none would count it as a failure of polls.
    if (carrier.isParked && this.liveness.isConfirmed) {
      carrier.write(this.#openRecord({ resumed: true }));
      carrier.finish();
    } else carrier.transport.terminate();
  }

  /** Drops the connection. That of a poll need not be lost: the poll is ended by its answer. */
  terminate(): void {
    if (!this.isParked) this.#carrier?.transport.terminate();
  }

  /** Drops the connection, without an answer to a poll. */
  drop(): void {
    this.release()?.transport.terminate();
  }

  /** Ends the carrier of a session that is over. */
  end(code: number, reason: string): void {
    this.release()?.end(code, reason);
  }

  /**
   * Answers the first poll of a new session that was sent more at once than it may keep. Without an `open` its client would
   * learn nothing, and would ask for one session after the other.
   */
  refuse(code: number, reason: string): void {
    const poll = this.release();
    if (poll === undefined) return;
    poll.write(this.#openRecord({ resumed: false }));
    poll.write({ type: "close", code, reason });
    poll.finish();
  }

  /** Answers a parked poll with everything that the client does not have. Another carrier writes what waits for the end of the turn. */
  flush(): void {
    this.#isFlushQueued = false;
    const carrier = this.#carrier;
    if (carrier === undefined) return;
    if (!carrier.isParked) {
      carrier.transport.flush();
      return;
    }
    try {
      this.#greet(carrier, { resumed: this.liveness.isConfirmed });
      carrier.finish();
    } catch (error) {
      // The answer could not be encoded: its client must not wait for it.
      carrier.transport.terminate();
      throw error;
    }
  }

  /** Called once a second: answers a poll in time, and drops a carrier whose client does not read any more. */
  tick(now: number): void {
    const carrier = this.#carrier;
    if (carrier === undefined) return;
    const isWebSocket = carrier.kind === "websocket";
    if (carrier.isParked && this.liveness.isParkOver(now)) this.#queueFlush();
    if (isWebSocket && this.#session.hasAck) this.#acknowledge(carrier);
    carrier.tick(now, this.#session.settings.heartbeat);
    if (this.#carrier !== carrier) return;
    const isOverdue = this.liveness.isAckOverdue(now, {
      session: this.#session,
      unsentBytes: carrier.transport.bufferedAmount,
      answersPings: isWebSocket,
      isPaused: this.#session.incoming.isFull,
    });
    if (!isOverdue) return;
    this.liveness.carrierDropped();
    carrier.transport.terminate();
  }

  #start(carrier: Carrier): void {
    carrier.open();
    if (this.#session.incoming.isFull) carrier.transport.pause?.();
  }

  /** Writes `open`, and everything that the client does not have. */
  #greet(carrier: Carrier, opening: Pick<OpenRecord, "resumed">): void {
    carrier.write(this.#openRecord(opening));
    for (const record of this.#session.writable()) carrier.write(record);
  }

  #openRecord({ resumed }: Pick<OpenRecord, "resumed">): OpenRecord {
    const session = this.#session;
    const { heartbeatMs, resumeMs } = session.settings;
    const first = session.acknowledged + 1;
    return {
      type: "open",
      session: session.token,
      resumed,
      received: session.takeAck(),
      first,
      heartbeatMs,
      resumeMs,
      expiresInMs: session.expiresInMs(dateOf(this.#context.clock)),
      since: session.cursors?.areAwaited === true ? true : undefined,
      requests: session.requests?.maxAnswered,
    };
  }

  #acknowledge(carrier: Carrier): void {
    carrier.write({ type: "ack", received: this.#session.takeAck(this.#session.ackNumber) });
  }

  /**
   * Ends the carrier of a request that has come again. Its client may listen to either of the two, and takes `replaced` for the
   * end of its session: it asks again after this end.
   */
  #endRepeated(carrier: Carrier): void {
    if (carrier.isParked) {
      carrier.write(this.#openRecord({ resumed: true }));
      carrier.finish();
    } else carrier.end(NORMAL, "the request was repeated");
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    this.#context.flusher.add(this);
  }
}
