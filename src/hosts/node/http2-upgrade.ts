// A WebSocket over HTTP/2 that is ours (RFC 8441), from the "connect" event of its server until a route has answered. node:http2
// gives no CONNECT to the routes; this one is passed to them as a GET.

import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { ChannelError } from "../../base/errors.ts";
import { addressOf } from "../../server/address.ts";
import type { OpenConnection } from "../../server/exchange-source.ts";
import { TEXT_PLAIN } from "../../transport/http/format.ts";
import { RESET } from "../../transport/http2/server-stream.ts";
import type { UpgradeOwner } from "./upgrade.ts";

/**
 * waiting  no route has answered
 * over     a route answers, or the client has left
 */
type ConnectState = "waiting" | "over";

export class HostHttp2Upgrade implements OpenConnection {
  index: number | undefined = undefined;
  readonly request: Http2ServerRequest;
  readonly response: Http2ServerResponse;
  readonly remoteAddress: string | undefined;
  readonly isEncrypted: boolean;
  readonly #owner: UpgradeOwner;
  #state: ConnectState = "waiting";
  #firstTickAt: number | undefined;

  constructor(owner: UpgradeOwner, request: Http2ServerRequest, response: Http2ServerResponse) {
    this.#owner = owner;
    this.request = request;
    this.response = response;
    this.remoteAddress = addressOf(request.socket);
    this.isEncrypted = request.stream.session?.encrypted === true;
    request.stream.on("close", () => this.take());
  }

  /** Gives the request to the server. */
  begin(): void {
    // RFC 8441 §5: the request takes the place of the GET of RFC 6455. Routers choose by the method.
    (this.request as { method: string }).method = "GET";
    if (!this.#owner.emit(this)) this.fail();
  }

  get bytesReceived(): number {
    return 0;
  }

  get bytesSent(): number {
    return 0;
  }

  /** A channel request was made of it, or it is over: it has an answer. */
  take(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#owner.upgradeOver(this);
  }

  tick(now: number): boolean {
    if (this.response.headersSent) {
      this.take();
      return false;
    }
    this.#firstTickAt ??= now;
    if (now - this.#firstTickAt < this.#owner.server.limits.headerTimeoutMs) return false;
    this.#owner.server.report(new ChannelError("UPGRADE_UNANSWERED", this.request.url), { source: "upgrade" });
    this.fail();
    return true;
  }

  /** Answers for an application that cannot. */
  fail(): void {
    for (let i = 0; i < TEXT_PLAIN.length; i += 2) this.response.setHeader(TEXT_PLAIN[i]!, TEXT_PLAIN[i + 1]!);
    this.response.writeHead(500).end("Internal Server Error\n");
    this.take();
  }

  makeRoom(): void {}

  drop(): void {
    this.request.stream.close(RESET.CANCEL);
  }
}
