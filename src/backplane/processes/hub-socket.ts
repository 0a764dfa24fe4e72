// The part of a `net.Socket` that both ends of the hub's protocol use: a socket fits as it is.

export interface HubSocket {
  write(bytes: Uint8Array, written?: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
  destroy(): unknown;
  on(event: "connect", listener: () => void): unknown;
  on(event: "data", listener: (bytes: Buffer) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "close", listener: () => void): unknown;
}
