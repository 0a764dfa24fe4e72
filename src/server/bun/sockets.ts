// The part of Bun's sockets (`Bun.listen`) that the engine uses. Measured with Bun 1.4.5:
// - `write` gives the system as many bytes as it takes at once, and keeps none; `drain` follows when the system takes more.
// - `pause` leaves bytes with the system, so that the peer has to wait; a reset is noticed nevertheless.
// - `data` brings memory of its own for each read.
// - With `allowHalfOpen` the end of the peer is `end`, and writing goes on. If both sides have ended, only `close` comes.
// - `close` and `terminate` call the close handler before they return.

export interface BunTcpSocket<Data> {
  /** Undefined until the owner sets it. */
  data: Data | undefined;
  /** The peer's address; undefined on a Unix socket. */
  readonly remoteAddress: string | undefined;
  /** Returns the number of bytes that the system has taken; -1 once the socket is closed. */
  write(bytes: Uint8Array): number;
  write(latin1Text: string, encoding: "latin1"): number;
  /** Ends the writing side. */
  shutdown(): void;
  /** Closes both sides; the system still sends the bytes that it has taken. */
  close(): void;
  pause(): void;
  resume(): void;
  setNoDelay(isOn: boolean): void;
  setKeepAlive(isOn: boolean, initialDelayMs: number): void;
}

export interface BunSocketHandlers<Data> {
  open(socket: BunTcpSocket<Data>): void;
  data(socket: BunTcpSocket<Data>, bytes: Uint8Array): void;
  drain(socket: BunTcpSocket<Data>): void;
  end(socket: BunTcpSocket<Data>): void;
  close(socket: BunTcpSocket<Data>, error: Error | undefined): void;
  /** An exception of another handler. */
  error(socket: BunTcpSocket<Data>, error: Error): void;
}

interface BunListenOptions<Data> {
  readonly hostname?: string;
  readonly port?: number;
  readonly unix?: string;
  readonly backlog?: number;
  readonly allowHalfOpen: boolean;
  readonly socket: BunSocketHandlers<Data>;
}

export interface BunListening {
  readonly port: number;
  /** Accepts no new sockets; open ones stay. */
  stop(): void;
}

interface BunApi {
  /** Throws an error like Node's: EADDRINUSE, EACCES. */
  listen<Data>(options: BunListenOptions<Data>): BunListening;
}

/** Called on Bun only. */
export function bunApi(): BunApi {
  return (globalThis as unknown as { readonly Bun: BunApi }).Bun;
}
