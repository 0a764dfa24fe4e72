// A WebSocket of the host as a connection of its server: counted, and dropped when the server stops.

import type { OpenConnection } from "../../server/exchange-source.ts";
import type { HostWebSocket } from "./transport.ts";

export class HostConnection implements OpenConnection {
  index: number | undefined = undefined;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  /** The host does not tell. */
  readonly bytesReceived = 0;
  readonly bytesSent = 0;
  transport: HostWebSocket | undefined;

  constructor(remoteAddress: string | undefined, isEncrypted: boolean) {
    this.remoteAddress = remoteAddress;
    this.isEncrypted = isEncrypted;
  }

  /** Its channel ticks. */
  tick(): boolean {
    return false;
  }

  makeRoom(): void {
    this.transport?.makeRoom();
  }

  drop(): void {
    this.transport?.terminate();
  }
}
