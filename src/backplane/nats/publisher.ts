// Publishing to the streams: a message that no stream took is published again, and messages keep the order in which they were
// asked for. While one of them has to be published again, later ones are held behind it.

import type { ChannelError } from "../../base/channel-error.ts";
import { Queue } from "../../base/queue.ts";
import { unavailable } from "../unavailable.ts";
import { isApiError, isNoResponders, STORE_FAILED } from "./api.ts";
import type { NatsLink } from "./connection.ts";

/** The connection as the publisher uses it. */
export type PublishingLink = Pick<NatsLink, "ask" | "maxPendingBytes">;

/** The streams as their publisher sees them. */
export interface PublishedStreams {
  /** Whether the streams were found, and nothing says that they are others now. */
  readonly isOpen: boolean;
  /** The least sequence that the message stream gives now. */
  readonly first: number;
  open(): Promise<unknown>;
  /** Empties a message stream that counts messages and delivers none. */
  repair(): Promise<void>;
  /** The message stream is gone, or is another one. */
  lost(): void;
  /** The message stream gave this sequence. */
  heard(sequence: number): void;
}

interface Publication {
  /** Its place in the order of all. */
  readonly number: number;
  readonly subject: string;
  readonly payload: Uint8Array;
  /** Whether it goes to the message stream, whose sequences say which stream took it. */
  readonly isMessage: boolean;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: ChannelError) => void;
  attempts: number;
}

/** How often a message is sent when each time the stream turns out to be gone. */
const MAX_ATTEMPTS = 4;

export class NatsPublisher {
  readonly #link: PublishingLink;
  readonly #streams: PublishedStreams;
  /** Publications that wait for the streams, in their order. */
  #held = new Queue<Publication>();
  #heldBytes = 0;
  #count = 0;
  #inFlight = 0;
  #isReopening = false;
  /** A publication was refused because the files of the stream are gone. */
  #isBroken = false;

  constructor(link: PublishingLink, streams: PublishedStreams) {
    this.#link = link;
    this.#streams = streams;
  }

  /** Resolves to the sequence of the message once the server has it. Rejects with BACKPLANE_UNAVAILABLE. */
  publish(subject: string, payload: Uint8Array, isMessage: boolean): Promise<number> {
    return new Promise((resolve, reject) => {
      const number = ++this.#count;
      const publication: Publication = { number, subject, payload, isMessage, resolve, reject, attempts: 0 };
      // Sent in the same turn where that is possible: what is published in one turn leaves in one piece.
      if (this.#streams.isOpen && this.#held.length === 0 && !this.#isReopening) void this.#send(publication);
      else if (this.#heldBytes > 0 && this.#heldBytes + payload.length > this.#link.maxPendingBytes) {
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
      // A new stream whose sequences nobody has lifted yet: lifting them drops the message.
      else this.#again(publication, "the stream is made again and again");
    } catch (error) {
      const isBroken = isMessage && isApiError(error, STORE_FAILED);
      if (isBroken) this.#isBroken = true;
      // No stream took it, so publishing it again cannot double it.
      if (isBroken || isNoResponders(error)) this.#again(publication, error);
      else publication.reject(unavailable(error));
    } finally {
      this.#inFlight -= 1;
      if (this.#held.length > 0) void this.#reopen();
    }
  }

  #taken(publication: Publication, sequence: number): void {
    if (publication.isMessage) this.#streams.heard(sequence);
    publication.resolve(sequence);
    const first = this.#held.at(0);
    if (first === undefined || first.number > publication.number) return;
    // Sent again, an earlier one would come behind it: its publisher is told that it was not published.
    const isOvertaken = ({ number, subject }: Publication): boolean =>
      number < publication.number && subject === publication.subject;
    this.#rejectHeld(isOvertaken, "a later message was taken before it");
  }

  #again(publication: Publication, cause: unknown): void {
    if (publication.attempts === MAX_ATTEMPTS) publication.reject(unavailable(cause));
    else this.#hold(publication);
  }

  /** Keeps the order of numbers: answers come nearly in order, so it is nearly always the end of the queue. */
  #hold(publication: Publication): void {
    this.#heldBytes += publication.payload.length;
    const last = this.#held.at(this.#held.length - 1);
    this.#held.push(publication);
    if (last === undefined || last.number < publication.number) return;
    this.#setHeld([...this.#held].sort((a, b) => a.number - b.number));
  }

  #rejectHeld(isConcerned: (publication: Publication) => boolean, cause: unknown): void {
    const rest: Publication[] = [];
    for (const publication of this.#held) {
      if (isConcerned(publication)) publication.reject(unavailable(cause));
      else rest.push(publication);
    }
    if (rest.length < this.#held.length) this.#setHeld(rest);
  }

  #setHeld(publications: readonly Publication[]): void {
    this.#held = new Queue<Publication>();
    this.#heldBytes = 0;
    for (const publication of publications) {
      this.#held.push(publication);
      this.#heldBytes += publication.payload.length;
    }
  }

  /** Opens the streams and sends what is held. Waits for all answers first: a message still under way may have to join it. */
  async #reopen(): Promise<void> {
    if (this.#isReopening || this.#inFlight > 0) return;
    this.#isReopening = true;
    try {
      const first = this.#held.at(0);
      if (first !== undefined && first.attempts > 0) {
        if (this.#isBroken) await this.#streams.repair();
        this.#isBroken = false;
        this.#streams.lost();
      }
      await this.#streams.open();
    } catch (error) {
      this.#rejectHeld(() => true, error);
    } finally {
      this.#isReopening = false;
    }
    const held = [...this.#held];
    this.#setHeld([]);
    for (const publication of held) void this.#send(publication);
  }
}
