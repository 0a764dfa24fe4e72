// The backplane between the processes of one machine, over the hub in the first of them.

import type {
  BackplaneEntry,
  BackplaneHistory,
  BackplaneKey,
  BackplaneListener,
  BackplaneRecords,
  HistoryLimits,
} from "../backplane.ts";
import { BrokerBackplane, type BrokerRecords } from "../broker-backplane.ts";
import { compareStreamIds, isStreamId } from "../stream-ids.ts";
import { unavailable } from "../unavailable.ts";
import { type FieldReader, type FrameWriter, MAX_PAYLOAD_BYTES } from "./frame.ts";
import { HubLink, type HubLinkOptions } from "./hub-link.ts";
import { toId, toNumber } from "./ids.ts";
import { CALL, type CallKind } from "./kinds.ts";
import { HubPresence } from "./presence.ts";
import { HubSubscriptions } from "./subscriptions.ts";

export type HubClientOptions = Omit<HubLinkOptions, "onUp" | "onNews">;

export class ProcessBackplane extends BrokerBackplane {
  protected readonly presence: HubPresence;
  protected readonly records: BrokerRecords;
  readonly #link: HubLink;
  readonly #subscriptions: HubSubscriptions;

  constructor(options: HubClientOptions) {
    super();
    const link = new HubLink({
      ...options,
      onUp: () => {
        this.presence.announce();
        this.#subscriptions.resume();
      },
      onNews: (frame) => this.#subscriptions.take(frame),
    });
    this.#link = link;
    this.presence = new HubPresence(link);
    this.#subscriptions = new HubSubscriptions(link);
    this.records = recordsOver(link);
  }

  publish(group: string, payload: Uint8Array, keep: HistoryLimits): Promise<string> {
    return this.#append(CALL.PUBLISH, group, payload, keep);
  }

  publishLatest(group: string, payload: Uint8Array, keep: HistoryLimits, of: BackplaneKey): Promise<string> {
    return this.#append(CALL.PUBLISH_LATEST, group, payload, keep, (writer) =>
      writer.text(of.key).flag(of.isRemoved).number(of.maxKeys).number(of.ttlMs),
    );
  }

  async latest(group: string): Promise<readonly BackplaneEntry[]> {
    return (
      await this.#entries(
        CALL.LATEST,
        (writer) => writer.text(group),
        () => false,
      )
    ).entries;
  }

  async history(group: string, since?: string): Promise<BackplaneHistory> {
    return this.#entries(
      CALL.HISTORY,
      (writer) => writer.text(group).number(since === undefined ? 0 : toNumber(this.#link.epoch, since)),
      (fields) => fields.flag(),
    );
  }

  compareIds(a: string, b: string): number {
    return compareStreamIds(a, b);
  }

  isId(text: string): boolean {
    return isStreamId(text);
  }

  protected async read(
    group: string,
    listener: BackplaneListener,
    isWanted: () => boolean,
  ): Promise<string | undefined> {
    return isWanted() ? this.#subscriptions.add(group, listener) : undefined;
  }

  protected stopReading(group: string): void {
    this.#subscriptions.end(group);
  }

  /** The hub has removed the members when the promise resolves, unless it is away. */
  protected async end(): Promise<void> {
    this.#subscriptions.clear();
    if (!this.#link.isUp) await this.connecting();
    await this.#link.call(CALL.BYE, () => {}, nothing, { bytes: 0 }).catch(() => {});
    this.#link.close();
  }

  protected override connecting(): Promise<void> | undefined {
    return this.#link.isUp ? undefined : this.#link.firstAttempt;
  }

  #append(
    kind: CallKind,
    group: string,
    payload: Uint8Array,
    { size, ttlMs }: HistoryLimits,
    more: (writer: FrameWriter) => unknown = nothing,
  ): Promise<string> {
    if (payload.length > MAX_PAYLOAD_BYTES) {
      return Promise.reject(unavailable(`a message of ${payload.length} bytes; a group takes ${MAX_PAYLOAD_BYTES}`));
    }
    return this.ask(() =>
      this.#link.call(
        kind,
        (writer) => more(writer.text(group).number(size).number(ttlMs).bytes(payload)),
        (fields) => toId(this.#link.epoch, fields.number()),
        { bytes: payload.length + group.length },
      ),
    );
  }

  #entries(
    kind: CallKind,
    write: (writer: FrameWriter) => unknown,
    readEnd: (fields: FieldReader) => boolean,
  ): Promise<BackplaneHistory> {
    return this.ask(async () => {
      const entries: BackplaneEntry[] = [];
      const part = (fields: FieldReader): void => {
        while (fields.hasMore) entries.push({ id: toId(this.#link.epoch, fields.number()), payload: fields.bytes() });
      };
      return { reset: await this.#link.call(kind, write, readEnd, { part }), entries };
    });
  }
}

function recordsOver(link: HubLink): BrokerRecords {
  return {
    read: (name) =>
      link.call(
        CALL.READ_RECORD,
        (writer) => writer.text(name),
        (fields) => fields.optional(),
      ),
    swap: (name, expected, next) =>
      link.call(
        CALL.SWAP_RECORD,
        (writer) => writer.text(name).optional(expected).optional(next),
        (fields) => fields.flag(),
        { bytes: 100 + name.length + (expected?.length ?? 0) + (next?.length ?? 0) },
      ),
    async list(): Promise<BackplaneRecords> {
      const records: { name: string; value: Uint8Array }[] = [];
      await link.call(CALL.LIST_RECORDS, () => {}, nothing, {
        part(fields) {
          while (fields.hasMore) records.push({ name: fields.text(), value: fields.bytes() });
        },
      });
      return { records, next: undefined };
    },
  };
}

function nothing(): void {}
