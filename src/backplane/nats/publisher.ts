// Publishes to the streams. A message that no stream took is published again, and messages keep the order of their calls: while
// one of them has to be published again, later ones wait behind it.

import type { ChannelError } from "../../base/channel-error.ts";
import { Queue } from "../../base/queue.ts";
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

export class NatsPublisher {
  readonly #link: PublishingLink;
  readonly #streams: PublishedStreams;
  /** Publications that wait for the streams, in the order of their calls. */
  #held = new Queue<Publication>();
  #heldBytes = 0;
  #count = 0;
  #inFlight = 0;
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
    }
  }

  #taken(publication: Publication, sequence: number): void {
    if (publication.isMessage) this.#streams.heard(sequence);
    publication.resolve(sequence);
    const first = this.#held.at(0);
    if (first === undefined || first.number > publication.number) return;
    // An earlier message would now come behind this one: its publisher is told that it was not published.
    const isOvertaken = ({ number, subject }: Publication): boolean =>
      number < publication.number && subject === publication.subject;
    this.#rejectHeld(isOvertaken, "a later message was taken before it");
  }

  #again(publication: Publication, cause: unknown): void {
    if (publication.attempts === MAX_ATTEMPTS) publication.reject(unavailable(cause));
    else this.#hold(publication);
  }

  /** Keeps the order of the calls. Answers come nearly in order, so the place is nearly always the end of the queue. */
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

  /** Opens the streams and sends the held messages. Waits for all answers first: a message under way may have to join them. */
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
