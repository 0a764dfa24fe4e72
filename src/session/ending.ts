// Ends a session: because the application or the client closes, the client is lost or breaks the protocol, or the server
// stops. PROTOCOL.md, "The end". `state.ts` has the states, and decides which of these may follow which.

import { shortToken } from "../base/debug-log.ts";
import type { ChannelError } from "../base/errors.ts";
import type { CloseRecord } from "../codec/session-record.ts";
import { type CloseStatus, closeStatus, connectionFailed, describeClose } from "../transport/close-status.ts";
import { ABNORMAL, endsSession, NORMAL, OVERFLOW, PROTOCOL_ERROR, SERVICE_RESTART } from "./close-codes.ts";
import type { SessionContext } from "./context.ts";
import type { CurrentCarrier } from "./current-carrier.ts";
import type { ServerSession } from "./server-session.ts";

/** How long a client that has sent more than it may is waited for, in milliseconds: to acknowledge that its session is closed. */
const REFUSED_MS = 5000;

export interface EndingOwner {
  /** The session is over. Called once. */
  ended(status: CloseStatus): void;
}

export class Ending {
  readonly #session: ServerSession;
  readonly #carrier: CurrentCarrier;
  readonly #context: SessionContext;
  readonly #owner: EndingOwner;
  #isRefused = false;
  /** The first tick that found the session refused. */
  #refusedSince: number | undefined;

  constructor(session: ServerSession, carrier: CurrentCarrier, context: SessionContext, owner: EndingOwner) {
    this.#session = session;
    this.#carrier = carrier;
    this.#context = context;
    this.#owner = owner;
  }

  /** The application closes. The close is kept and acknowledged like a message, so the end may come much later. */
  close(code: number, reason: string): void {
    const { state } = this.#session;
    const record = state.close(code, reason);
    if (record === undefined) return;
    this.#session.stopTaking();
    this.#session.send(record);
    this.#carrier.write(record);
    if (state.isRestart && this.#carrier.isAway) this.#leave();
  }

  /** The client sends more than it may. It is told with a close; one that goes on sending instead is not waited for. */
  refuse(code: number, reason: string): void {
    this.#carrier.acknowledgeTaken();
    this.close(code, reason);
    this.#isRefused = true;
  }

  /** Called once a second while the client can send: on a carrier, or by POSTs. */
  tick(now: number): void {
    if (!this.#isRefused) return;
    this.#refusedSince ??= now;
    if (now - this.#refusedSince < REFUSED_MS) return;
    const { closeStatus: status } = this.#session.state;
    this.#end(status!, status!.code, status!.reason);
  }

  /** The client has acknowledged everything, the close too. */
  closeAcknowledged(): void {
    this.#end(this.#session.state.closeStatus!);
  }

  /** The client closes. The channel gets all messages before the close, even while it is paused. */
  clientClosed({ code, reason }: CloseRecord): void {
    this.#deliverAll();
    this.#carrier.acknowledgeClose();
    this.#end(closeStatus("client", code, reason));
  }

  /** The client is too slow or was away too long: its records are dropped, and it is told. */
  overflowed(): void {
    this.#end(closeStatus("server", OVERFLOW, "overflow"), OVERFLOW, "overflow");
  }

  /** The client sent a record that has no place in the order. */
  protocolBroken({ message }: ChannelError): void {
    this.#end(closeStatus("server", PROTOCOL_ERROR, message), PROTOCOL_ERROR);
  }

  /** The client sent a message that cannot be decoded, or is too big. */
  carrierFailed(status: CloseStatus): void {
    this.#end(status, status.code);
  }

  /** The carrier has ended, and was released. */
  carrierEnded(status: CloseStatus): void {
    if (status.by === "server" && endsSession(status.code)) this.#end(status);
    else if (this.#session.state.endsWhenAway) this.#leave();
  }

  terminate(): void {
    if (this.#session.state.isOver) return;
    this.#carrier.terminate();
    this.#end(closeStatus("server", ABNORMAL));
  }

  /** Another process has the session. Its client is told nothing: it finds that process, or is there already. */
  elsewhere(): void {
    const session = this.#session;
    const status = closeStatus("server", SERVICE_RESTART, "another process has the session");
    if (!session.state.endWith(status)) return;
    session.end();
    this.#carrier.drop();
    this.#context.sessionLeft(session.token);
    this.#owner.ended(status);
  }

  /** The server stops: ends a session whose client is away, which cannot come back to it. */
  serverStops(): void {
    const { state } = this.#session;
    state.serverStops();
    if (this.#carrier.isAway && !state.isLingering) this.#leave();
  }

  /** Called once a second while there is no carrier. */
  tickAway(now: number): void {
    const { state } = this.#session;
    const { liveness, kind } = this.#carrier;
    if (state.isLingering && !liveness.hasJustLeft) this.#end(state.closeStatus!);
    else if (liveness.isClientLost(now, { kind, isExpired: state.isExpired })) {
      this.#end(state.closeStatus ?? connectionFailed("the client did not come back"));
    }
  }

  /** The client is away, and the server stops. A client between two polls comes back soon and fetches the kept records. */
  #leave(): void {
    const { sent, acknowledged, state, token } = this.#session;
    // The close itself is one of the records that the client does not have.
    const hasMore = sent - acknowledged > 1;
    if (state.isRestart && this.#carrier.isBetweenPolls && hasMore && state.linger())
      this.#context.lingeringBegan(token);
    else this.#end(state.closeStatus ?? closeStatus("server", SERVICE_RESTART));
  }

  #deliverAll(): void {
    if (this.#session.incoming.deliverAll()) this.#carrier.resume();
  }

  /** Ends the session. The carrier, if there is one, ends with `code` and `reason`. */
  #end(status: CloseStatus, code: number = NORMAL, reason = ""): void {
    const session = this.#session;
    if (session.state.isOver) return;
    this.#deliverAll();
    // A receiver may have ended the session meanwhile.
    if (!session.state.endWith(status)) return;
    // The last connection may take seconds to end, and keeps this object until then.
    session.end();
    this.#context.debug?.(`session ${shortToken(session.token)} closed: ${describeClose(status)}`);
    const isUnknown = this.#carrier.isParked && !this.#carrier.liveness.isConfirmed;
    if (code === OVERFLOW && isUnknown) this.#carrier.refuse(code, reason);
    else this.#carrier.end(code, reason);
    this.#context.sessionEnded(session.token);
    this.#owner.ended(status);
  }
}
