// Publishes to the streams. A message that no stream took is published again, and messages keep the order of their calls: while
// one of them has to be published again, later ones wait behind it.

import type { ChannelError } from "../../base/channel-error.ts";
import { unavailable } from "../unavailable.ts";
import { isApiError, isNoResponders, STORE_FAILED } from "./api.ts";
import type { NatsLink } from "./connection.ts";

/** The part of the connection that the publisher uses. */
export type PublishingLink = Pick<NatsLink, "ask" | "maxPendingBytes">;

/** The part of the streams that the publisher uses. */
export interface PublishedStreams {
  /** True if the streams were found and nothing says that they were replaced. */
  readonly isOpen: boolean;
  /** Lowest sequence that the message stream gives. */
  readonly first: number;
  open(): Promise<unknown>;
  /** Empties a message stream that counts messages and delivers none. */
  repair(): Promise<void>;
  /** Called when the message stream is gone or was replaced. */
  lost(): void;
  /** Called with each sequence that the message stream gave. */
  heard(sequence: number): void;
}

interface Publication {
  /** Its index in the order of the calls. */
  readonly number: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  /** True for the message stream, whose sequences show which stream took a message. */
  readonly isMessage: boolean;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: ChannelError) => void;
  attempts: number;
}

/** Number of times that a message is sent if the stream turns out to be gone each time. */
const MAX_ATTEMPTS = 4;

/**
 * Subjects whose last message is remembered while messages are under way. Without a limit, clients that choose the names of
 * groups could fill the memory.
 */
const MAX_SUBJECTS = 10_000;

export class NatsPublisher {
  readonly #link: PublishingLink;
  readonly #streams: PublishedStreams;
  /** Publications that wait for the streams. */
  #held: Publication[] = [];
  #heldBytes = 0;
  #count = 0;
  #inFlight = 0;
  /** Number of the last message that was taken, by subject, since none was under way. */
  readonly #lastTaken = new Map<string, number>();
  #isReopening = false;
  /** True after a publication was refused because the files of the stream are gone. */
  #isBroken = false;

  constructor(link: PublishingLink, streams: PublishedStreams) {
    this.#link = link;
    this.#streams = streams;
  }

  /** Resolves to the sequence of the message once the server has it. Rejects with BACKPLANE_UNAVAILABLE. */
  append(subject: string, payload: Uint8Array): Promise<number> {
    return this.#publish({ subject, payload, isMessage: true });
  }

  /** Publishes to a subject of one of the other streams. Rejects with BACKPLANE_UNAVAILABLE. */
  async publish(subject: string, payload: Uint8Array): Promise<void> {
    await this.#publish({ subject, payload, isMessage: false });
  }

  #publish(content: Pick<Publication, "subject" | "payload" | "isMessage">): Promise<number> {
    return new Promise((resolve, reject) => {
      const publication: Publication = { ...content, number: ++this.#count, resolve, reject, attempts: 0 };
      // Sent at once where possible: messages of one turn leave together.
      if (this.#streams.isOpen && this.#held.length === 0 && !this.#isReopening) void this.#send(publication);
      else if (this.#heldBytes > 0 && this.#heldBytes + content.payload.length > this.#link.maxPendingBytes) {
        reject(unavailable("too much waits for the streams"));
      } else {
        this.#hold(publication);
        void this.#reopen();
      }
    });
  }

  async #send(publication: Publication): Promise<void> {
    const { subject, payload, isMessage } = publication;
    publication.attempts += 1;
    this.#inFlight += 1;
    try {
      const { seq } = await this.#link.ask<{ readonly seq: number }>(subject, payload);
      if (!isMessage || seq >= this.#streams.first) this.#taken(publication, seq);
      // A new stream whose sequences were not raised yet: raising them drops the message.
      else this.#again(publication, "the stream is made again and again");
    } catch (error) {
      const isBroken = isMessage && isApiError(error, STORE_FAILED);
      if (isBroken) this.#isBroken = true;
      // No stream took it: publishing it again cannot double it.
      if (isBroken || isNoResponders(error)) this.#again(publication, error);
      else publication.reject(unavailable(error));
    } finally {
      this.#inFlight -= 1;
      if (this.#held.length > 0) void this.#reopen();
      else if (this.#inFlight === 0) this.#lastTaken.clear();
    }
  }

  #taken(publication: Publication, sequence: number): void {
    if (publication.isMessage) this.#streams.heard(sequence);
    const { subject, number } = publication;
    const isFull = this.#lastTaken.size >= MAX_SUBJECTS && this.#held.length === 0;
    if (isFull) this.#lastTaken.clear();
    if (number > (this.#lastTaken.get(subject) ?? 0)) this.#lastTaken.set(subject, number);
    publication.resolve(sequence);
  }

  #again(publication: Publication, cause: unknown): void {
    if (publication.attempts === MAX_ATTEMPTS) publication.reject(unavailable(cause));
    else this.#hold(publication);
  }

  #hold(publication: Publication): void {
    this.#heldBytes += publication.payload.length;
    this.#held.push(publication);
  }

  #takeHeld(): Publication[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    return held;
  }

  /**
   * Puts the held messages into the order of the calls: failures arrive nearly in order, before and behind new calls. A message
   * that would now come behind a later one of its subject is rejected: its publisher is told that it was not published.
   */
  #order(): void {
    const lastTaken = this.#lastTaken;
    for (const publication of this.#takeHeld().sort((a, b) => a.number - b.number)) {
      if ((lastTaken.get(publication.subject) ?? 0) < publication.number) this.#hold(publication);
      else publication.reject(unavailable("a later message was taken before it"));
    }
    lastTaken.clear();
  }

  /** Opens the streams and sends the held messages. Waits for all answers first: a message under way may have to join them. */
  async #reopen(): Promise<void> {
    if (this.#isReopening || this.#inFlight > 0) return;
    this.#order();
    const first = this.#held[0];
    if (first === undefined) return;
    this.#isReopening = true;
    try {
      if (first.attempts > 0) {
        if (this.#isBroken) await this.#streams.repair();
        this.#isBroken = false;
        this.#streams.lost();
      }
      await this.#streams.open();
    } catch (error) {
      for (const publication of this.#takeHeld()) publication.reject(unavailable(error));
    } finally {
      this.#isReopening = false;
    }
    for (const publication of this.#takeHeld()) void this.#send(publication);
  }
}
