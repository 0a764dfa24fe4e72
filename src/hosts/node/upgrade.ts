// One upgrade of ours, from the host's event until a WebSocket has its socket or a response has ended its connection. The route
// answers it as any other request: this file gives Node's response the socket, reads ahead meanwhile, so that a client that
// leaves is noticed, and ends an upgrade that no route answers.

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { concat } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { linkStates } from "../../base/linked-states.ts";
import { addressOf } from "../../server/address.ts";
import type { ExchangeServer } from "../../server/exchange-server.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import { TEXT_PLAIN } from "../../transport/http/format.ts";
import type { OpenExchange, PendingUpgrade } from "./exchange-owner.ts";
import type { NodeRequest, NodeResponse } from "./host-server.ts";

/** Bytes that are read before the upgrade is answered. */
const MAX_AHEAD_BYTES = 65_536;

/**
 * queued     an earlier request on the connection is not answered
 * waiting    no route has answered
 * taken      a route answers it with a request of ours
 * switched   the socket is a WebSocket's
 * closing    a response is complete, and the end of the client is awaited
 * over       the socket is closed
 */
type StateName = "queued" | "waiting" | "taken" | "switched" | "closing" | "over";

/**
 * begin   earlier requests on the connection are answered
 * take    a request of ours was made of it
 * switch  a WebSocket gets the socket
 * answer  a response is complete
 * close   the socket was closed
 */
const STEPS = ["begin", "take", "switch", "answer", "close"] as const;

/** Every legal move. */
const MOVES: Record<StateName, Partial<Record<(typeof STEPS)[number], StateName>>> = {
  queued: { begin: "waiting", close: "over" },
  waiting: { take: "taken", answer: "closing", close: "over" },
  taken: { switch: "switched", answer: "closing", close: "over" },
  switched: {},
  closing: { close: "over" },
  over: {},
};

const STATES = linkStates(MOVES, STEPS);

type UpgradeState = (typeof STATES)[StateName];

export interface UpgradeOwner {
  readonly server: ExchangeServer;
  /** Other code has ended the socket of an upgrade of ours. */
  endedByOthers(): void;
  /** Gives the request of an upgrade to the server. Returns false if the server has no listener. */
  emit(upgrade: { readonly request: NodeRequest; readonly response: NodeResponse }): boolean;
  /** A request was made of it, which is open in its place. */
  upgradeTaken(upgrade: OpenConnection): void;
  /** Its request is answered, and the end of the client is awaited. */
  opened(upgrade: OpenExchange): void;
  upgradeOver(upgrade: OpenConnection): void;
}

/**
 * ours       its route may open a WebSocket
 * ordinary   no listener of "upgrade" takes it: an ordinary request
 * failed     the application could not say whose it is
 */
export type UpgradeRole = "ours" | "ordinary" | "failed";

interface UpgradeParts {
  readonly request: IncomingMessage;
  /** The bytes that came with the request. */
  readonly head: Uint8Array;
  readonly role: UpgradeRole;
  /** True if Node still reads the connection, for the request's body. */
  readonly hasBodyRead: boolean;
}

export class HostUpgrade implements PendingUpgrade, OpenConnection {
  index: number | undefined = undefined;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly #owner: UpgradeOwner;
  readonly #socket: Socket;
  readonly #role: UpgradeRole;
  readonly #hasBodyRead: boolean;
  #state: UpgradeState = STATES.queued;
  /** Bytes that came after the request. */
  #ahead: Uint8Array[];
  #aheadBytes: number;
  #firstTickAt: number | undefined;

  constructor(owner: UpgradeOwner, { request, head, role, hasBodyRead }: UpgradeParts) {
    this.#owner = owner;
    this.request = request;
    const { socket } = request;
    this.#socket = socket;
    this.#role = role;
    this.#hasBodyRead = hasBodyRead;
    this.#ahead = head.length > 0 ? [head] : [];
    this.#aheadBytes = head.length;
    // Node's own listener is off: without one an error would end the process. "close" follows.
    socket.on("error", onError);
    socket.on("close", this.#onClose);
    socket.on("drain", this.#onDrain);
    // A class that the server was created with is not known: Node has no way to ask for it.
    this.response = new ServerResponse(request);
    // RFC 9931: frames may follow a handshake that is not accepted, and must not be read as a request.
    this.response.shouldKeepAlive = false;
    this.response.on("finish", this.#onFinish);
  }

  /** Gives the request to the server, as soon as its connection has answered earlier requests. */
  begin(): void {
    if (this.#state !== STATES.queued || !takesSocket(this.response, this.#socket)) return;
    this.#moveTo(this.#state.begin);
    if (this.#role === "failed" || !this.#owner.emit(this)) this.#fail();
    this.#watch();
  }

  get remoteAddress(): string | undefined {
    return addressOf(this.request.socket);
  }

  get isEncrypted(): boolean {
    return "encrypted" in this.request.socket;
  }

  get bytesReceived(): number {
    return 0;
  }

  get bytesSent(): number {
    return 0;
  }

  /** A channel request was made of it, which will be answered. */
  take(): void {
    if (this.#state !== STATES.waiting) return;
    this.#moveTo(this.#state.take);
    // Its exchange counts as the connection from now on.
    this.#owner.upgradeTaken(this);
  }

  /** Reads ahead, unless it was answered in the turn in which it came. */
  #watch(): void {
    if (this.#hasBodyRead || (this.#state !== STATES.waiting && this.#state !== STATES.taken)) return;
    this.#socket.on("data", this.#onData).on("end", this.#onEnd);
  }

  accept(): { readonly socket: Socket; readonly rest: Uint8Array | undefined } {
    // A client may ask for a WebSocket anywhere: it is refused, and the route that has opened a channel is not at fault.
    if (this.#role !== "ours") throw new ChannelError("BAD_HANDSHAKE", "the path is not in upgrades of attach");
    this.#moveTo(this.#state.switch);
    const socket = this.#socket;
    this.#unwatch();
    socket.off("close", this.#onClose).off("drain", this.#onDrain);
    this.response.off("finish", this.#onFinish).detachSocket(socket);
    // A connection that the application has brought may be any Duplex.
    (socket as Partial<Socket>).setTimeout?.(0);
    this.#owner.upgradeOver(this);
    // Middleware that waits for the end of the response, to measure it or to free something, would wait for ever.
    this.response.statusCode = 101;
    this.response.emit("close");
    return { socket, rest: this.#ahead.length === 0 ? undefined : concat(this.#ahead) };
  }

  tick(now: number): boolean {
    this.begin();
    const isAwaited = this.#state === STATES.queued || this.#state === STATES.waiting;
    if (!isAwaited || this.response.headersSent) return false;
    this.#firstTickAt ??= now;
    const { headerTimeoutMs } = this.#owner.server.limits;
    if (now - this.#firstTickAt < headerTimeoutMs) return false;
    if (this.#state === STATES.queued) {
      this.drop();
      return true;
    }
    this.#owner.server.report(new ChannelError("UPGRADE_UNANSWERED", this.response.req.url), { source: "upgrade" });
    this.#fail();
    return true;
  }

  /** Answers for an application that cannot. */
  #fail(): void {
    this.response.writeHead(500, TEXT_PLAIN as string[]).end("Internal Server Error\n");
  }

  makeRoom(): void {}

  drop(): void {
    this.#socket.destroy();
  }

  readonly #onData = (bytes: Uint8Array): void => {
    // A closing client's bytes are dropped.
    if (this.#state === STATES.closing) return;
    this.#ahead.push(bytes);
    this.#aheadBytes += bytes.length;
    if (this.#aheadBytes > MAX_AHEAD_BYTES) this.#socket.pause();
  };

  /** Node tells a response when the socket has taken its output, but not on a connection of an upgrade. */
  readonly #onDrain = (): void => {
    if (this.response.writableNeedDrain) this.response.emit("drain");
  };

  /** A client that ends its side cannot speak WebSocket any more. */
  readonly #onEnd = (): void => {
    if (this.#state === STATES.closing) return;
    this.#socket.destroy();
  };

  readonly #onClose = (): void => {
    const isAwaited = this.#state === STATES.waiting || this.#state === STATES.taken;
    if (isAwaited && this.#role === "ours" && this.#socket.writableEnded) this.#owner.endedByOthers();
    this.#moveTo(this.#state.close);
    this.#owner.upgradeOver(this);
  };

  /** The route has answered with an ordinary response, which is sent. */
  readonly #onFinish = (): void => {
    if (this.#state === STATES.over) return;
    this.#moveTo(this.#state.answer);
    if (this.index === undefined) this.#owner.opened(this);
    this.#ahead = [];
    const socket = this.#socket;
    this.response.detachSocket(socket);
    process.nextTick(() => this.response.emit("close"));
    socket.end();
    // The peer's bytes are read and dropped, so that no reset destroys the response on its way (RFC 9112 §9.6).
    socket.off("data", this.#onData).on("data", this.#onData).resume();
    const { clock, closeTimeoutMs } = this.#owner.server;
    clock.setTimer(() => socket.destroy(), closeTimeoutMs);
  };

  #unwatch(): void {
    this.#socket.off("data", this.#onData).off("end", this.#onEnd).pause();
  }

  /** `state`: the state after a step; undefined if the present state has no such step. */
  #moveTo(state: UpgradeState | undefined): void {
    if (state === undefined) throw new Error(`an upgrade is ${this.#state.name}, which does not allow this step`);
    this.#state = state;
  }
}

/** False while an earlier response has the socket: the client has sent this request behind another one. */
export function takesSocket(response: ServerResponse, socket: Socket): boolean {
  try {
    response.assignSocket(socket);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_HTTP_SOCKET_ASSIGNED") throw error;
    return false;
  }
}

function onError(): void {}
