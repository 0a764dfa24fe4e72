// The Exchange over a request and a response of uWebSockets.js. Its request object lives for one call, so all of it is read at once.

import { latin1, latin1Bytes } from "../../base/bytes.ts";
import { ChannelError } from "../../base/errors.ts";
import { withoutNames } from "../../codec/field-list.ts";
import { fieldValue, fieldValues } from "../../codec/field-values.ts";
import { type ResponseHead, reasonPhrase } from "../../codec/http1-response.ts";
import type { Exchange } from "../../transport/exchange.ts";
import { type HostBody, HostExchange, type HostExchangeOwner } from "../native/exchange.ts";
import type { HostWebSocket } from "../native/transport.ts";
import { UwsRequestBody } from "./request-body.ts";
import { UwsResponseBody } from "./response-body.ts";
import type { UwsContext, UwsRequest, UwsResponse } from "./types.ts";

const NOT_ASCII = /[^\0-\x7f]/;
const OF_THE_END: ReadonlySet<string> = new Set(["connection"]);

/** The property of a WebSocket's user data that holds its transport. */
export const TRANSPORT = "unichannel";

export class UwsExchange extends HostExchange {
  readonly isEncrypted: boolean;
  readonly hasBody: boolean;
  readonly #owner: HostExchangeOwner;
  readonly #response: UwsResponse;
  readonly #context: UwsContext;
  readonly #body: UwsRequestBody | undefined;
  #address: string | undefined;
  /** The response object may not be used any more. */
  #isDone = false;

  /** `context` is that of an upgrade; undefined for any other request. */
  constructor(
    owner: HostExchangeOwner,
    messages: { readonly request: UwsRequest; readonly response: UwsResponse; readonly context?: UwsContext },
    isEncrypted: boolean,
  ) {
    const { request, response, context } = messages;
    const head = toHead(request);
    super(owner, head);
    this.#owner = owner;
    this.#response = response;
    this.#context = context;
    this.isEncrypted = isEncrypted;
    const { fields } = head;
    const length = Number(fieldValue(fields, "content-length") ?? 0);
    this.hasBody = length > 0 || fieldValue(fields, "transfer-encoding") !== undefined;
    this.#body = this.hasBody ? new UwsRequestBody(response) : undefined;
    response.onAborted(() => {
      this.#isDone = true;
      this.#body?.fail();
      this.cancelled();
    });
  }

  get remoteAddress(): string | undefined {
    // Not known any more when the connection is closed.
    if (this.#address === undefined && !this.#isDone) {
      this.#address = latin1(new Uint8Array(this.#response.getRemoteAddressAsText()));
    }
    return this.#address;
  }

  protected readPart(): Promise<Uint8Array | undefined> {
    return this.#body!.next();
  }

  protected discardBody(): void {
    this.#isDone = true;
    this.#body?.drop();
  }

  override end(): void {
    // While the response may still be used.
    this.#body?.discard();
    super.end();
  }

  protected sendWhole(head: ResponseHead, content: Uint8Array | null, length: string | undefined): void {
    const response = this.#response;
    this.#body?.discard();
    response.cork(() => {
      const closes = fieldValue(head.fields, "connection") === "close";
      // The end of a response that closes adds the field by itself.
      const addsField = closes && (content !== null || length !== undefined);
      this.#writeHead(addsField ? { ...head, fields: withoutNames(head.fields, OF_THE_END) } : head);
      if (content !== null) response.end(content, closes);
      else if (length !== undefined) response.endWithoutBody(Number(length), closes);
      // An argument would become a Content-Length.
      else response.endWithoutBody();
    });
  }

  protected startBody(head: ResponseHead): HostBody {
    this.#response.cork(() => this.#writeHead(head));
    return new UwsResponseBody(this.#response, this, this.#owner.server);
  }

  protected dropUnanswered(): void {
    this.#response.close();
  }

  protected clientLeft(): void {}

  protected upgrade(fields: readonly string[], transport: HostWebSocket): void {
    if (this.#context === undefined) throw new ChannelError("BAD_HANDSHAKE", "the request is no upgrade for its route");
    const own = this.head.fields;
    const key = fieldValue(own, "sec-websocket-key") ?? "";
    const protocol = fieldValue(fields, "sec-websocket-protocol") ?? "";
    this.#response.cork(() => {
      this.#response.writeStatus("101 Switching Protocols");
      for (let i = 0; i < fields.length; i += 2) {
        if (fields[i]!.toLowerCase() !== "sec-websocket-protocol")
          this.#response.writeHeader(fields[i]!, toValue(fields[i + 1]!));
      }
      this.#response.upgrade({ [TRANSPORT]: transport }, key, protocol, "", this.#context);
    });
  }

  #writeHead({ status, fields }: ResponseHead): void {
    this.#response.writeStatus(`${status} ${reasonPhrase(status)}`);
    for (let i = 0; i < fields.length; i += 2) this.#response.writeHeader(fields[i]!, toValue(fields[i + 1]!));
  }
}

/** Text would be written as UTF-8, and one character of a field is one byte (RFC 9110 §5.5). */
function toValue(value: string): string | Uint8Array {
  return NOT_ASCII.test(value) ? latin1Bytes(value) : value;
}

function toHead(request: UwsRequest): Exchange["head"] {
  const fields: string[] = [];
  request.forEach((name, value) => void fields.push(name, value));
  const query = request.getQuery();
  const hosts = fieldValues(fields, "host");
  return {
    method: request.getCaseSensitiveMethod(),
    target: query ? `${request.getUrl()}?${query}` : request.getUrl(),
    fields,
    // RFC 9112 §3.2: two of them are a malformed request.
    host: hosts.length === 1 ? hosts[0]! : "",
    minor: 1,
  };
}
