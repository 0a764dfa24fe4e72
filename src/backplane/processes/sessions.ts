// The session store of the processes of one machine, over the hub in the first of them.

import { BrokerSessions, linkLimit } from "../broker-sessions.ts";
import type { TakeResult } from "../session-store.ts";
import { unavailable } from "../unavailable.ts";
import type { HubClientOptions } from "./backplane.ts";
import { HubLink } from "./hub-link.ts";
import { CALL } from "./kinds.ts";

/** Calls that are on their way to the hub at once; further ones wait for their turn. */
const MAX_CALLS = 1000;

export class ProcessSessions extends BrokerSessions {
  readonly #link: HubLink;
  /** The secret of the service, for a hub that has lost it. */
  #secret = "";

  constructor(options: HubClientOptions) {
    super({ maxPendingBytes: options.maxPendingBytes, maxCalls: MAX_CALLS });
    this.#link = new HubLink({ ...options, maxPendingBytes: linkLimit(options.maxPendingBytes) });
  }

  protected write(token: string, owner: string, snapshot: Uint8Array, ttl: number): Promise<boolean> {
    return this.#link.call(
      CALL.PUT,
      (writer) => writer.text(token).text(owner).number(ttl).bytes(snapshot),
      (fields) => fields.flag(),
      { bytes: token.length + snapshot.length },
    );
  }

  protected move(token: string, taker: string, ttl: number, from: string | undefined): Promise<TakeResult> {
    let snapshot: Uint8Array | undefined;
    return this.#link.call(
      CALL.TAKE,
      (writer) => {
        writer.text(token).text(taker).number(ttl);
        writer.flag(from !== undefined).text(from ?? "");
      },
      (fields): TakeResult => {
        const type = fields.text();
        if (type === "taken" && snapshot !== undefined) return { type, snapshot };
        if (type === "owned") return { type, owner: fields.text(), isClaimed: fields.flag() };
        if (type === "unknown") return { type };
        throw unavailable(`the hub answers ${type}`);
      },
      {
        part(fields) {
          // The caller may keep it for long.
          snapshot = new Uint8Array(fields.bytes());
        },
      },
    );
  }

  protected confirm(token: string, taker: string, ttl: number): Promise<boolean> {
    return this.#link.call(
      CALL.CLAIM,
      (writer) => writer.text(token).text(taker).number(ttl),
      (fields) => fields.flag(),
    );
  }

  protected async extend(tokens: readonly string[], owner: string, ttl: number): Promise<readonly string[]> {
    const foreign: string[] = [];
    await this.#link.call(
      CALL.RENEW,
      (writer) => {
        writer.text(owner).number(ttl);
        for (const token of tokens) writer.text(token);
      },
      nothing,
      {
        part(fields) {
          while (fields.hasMore) foreign.push(fields.text());
        },
      },
    );
    return foreign;
  }

  protected remove(token: string, owner: string): Promise<void> {
    return this.#link.call(CALL.FORGET, (writer) => writer.text(token).text(owner), nothing);
  }

  protected writeAddress(process: string, address: string, ttl: number): Promise<void> {
    return this.#link.call(CALL.ANNOUNCE, (writer) => writer.text(process).text(address).number(ttl), nothing);
  }

  protected removeAddress(process: string): Promise<void> {
    return this.#link.call(CALL.WITHDRAW, (writer) => writer.text(process), nothing);
  }

  protected readAddress(process: string): Promise<string | undefined> {
    return this.#link.call(
      CALL.LOCATE,
      (writer) => writer.text(process),
      (fields) => (fields.flag() ? fields.text() : undefined),
    );
  }

  protected async readSecret(): Promise<string> {
    this.#secret = await this.#link.call(
      CALL.SECRET,
      (writer) => writer.text(this.#secret),
      (fields) => fields.text(),
    );
    return this.#secret;
  }

  protected async end(): Promise<void> {
    this.#link.close();
  }

  protected override connecting(): Promise<void> | undefined {
    return this.#link.isUp ? undefined : this.#link.firstAttempt;
  }
}

function nothing(): void {}
