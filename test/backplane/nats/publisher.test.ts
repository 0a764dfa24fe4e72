import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NatsApiError, STORE_FAILED } from "../../../src/backplane/nats/api.ts";
import { NatsPublisher, type PublishingLink } from "../../../src/backplane/nats/publisher.ts";
import { unavailable } from "../../../src/backplane/unavailable.ts";

/** NATS' answer while there is no stream: nobody listens on the subject. */
const NO_RESPONDERS = Object.assign(new Error("no responders"), { code: "503" });

interface Question {
  readonly text: string;
  readonly answer: (sequence: number) => void;
  readonly refuse: (error: unknown) => void;
}

/** A publisher over a link whose answers the test gives, and streams that it opens. */
function setUp({ isOpen = true } = {}) {
  const questions: Question[] = [];
  const calls: string[] = [];
  const link: PublishingLink = {
    maxPendingBytes: 100,
    ask: <T>(_subject: string, payload: Uint8Array) =>
      new Promise<T>((resolve, reject) => {
        const answer = (seq: number): void => resolve({ seq } as T);
        questions.push({ text: Buffer.from(payload).toString(), answer, refuse: reject });
      }),
  };
  const streams = {
    isOpen,
    first: 10,
    open: async (): Promise<void> => {
      calls.push("open");
    },
    repair: async (): Promise<void> => {
      calls.push("repair");
    },
    lost: (): void => {
      calls.push("lost");
    },
    heard: (): void => {},
  };
  const publisher = new NatsPublisher(link, streams);
  const outcomes: Record<string, number | string> = {};
  const publish = (text: string, subject = "g"): void => {
    publisher.append(subject, Buffer.from(text)).then(
      (sequence) => {
        outcomes[text] = sequence;
      },
      (error: Error) => {
        // Each begins with the sentence of BACKPLANE_UNAVAILABLE.
        outcomes[text] = error.message.split(": ")[1] ?? error.message;
      },
    );
  };
  const asked = (): string[] => questions.map(({ text }) => text);
  const take = (): Question[] => questions.splice(0);
  return { ...{ publish, outcomes, calls, streams, asked, take }, turn: () => new Promise(setImmediate) };
}

describe("publishing to NATS' streams", () => {
  it("sends in the turn of the call, without waiting for earlier answers", () => {
    const { publish, asked } = setUp();
    publish("a");
    publish("b");
    assert.deepEqual(asked(), ["a", "b"]);
  });

  it("sends messages that no stream took again in their order, before those that were published meanwhile", async () => {
    const { publish, outcomes, calls, asked, take, turn } = setUp();
    publish("a");
    publish("b");
    const [a, b] = take();
    a!.refuse(NO_RESPONDERS);
    await turn();
    publish("c");
    b!.refuse(NO_RESPONDERS);
    await turn();
    assert.deepEqual(asked(), ["a", "b", "c"]);
    assert.deepEqual(calls, ["lost", "open"]);
    take().forEach(({ answer }, index) => {
      answer(20 + index);
    });
    await turn();
    assert.deepEqual(outcomes, { a: 20, b: 21, c: 22 });
  });

  it("keeps the order when the answers come in another order", async () => {
    const { publish, asked, take, turn } = setUp();
    publish("a");
    publish("b");
    const [a, b] = take();
    b!.refuse(NO_RESPONDERS);
    await turn();
    a!.refuse(NO_RESPONDERS);
    await turn();
    assert.deepEqual(asked(), ["a", "b"]);
  });

  it("rejects a message that would follow a later one of its group, and no message of another group", async () => {
    const { publish, outcomes, asked, take, turn } = setUp();
    publish("a");
    publish("of another", "h");
    publish("b");
    const [a, other, b] = take();
    a!.refuse(NO_RESPONDERS);
    other!.refuse(NO_RESPONDERS);
    await turn();
    b!.answer(20);
    await turn();
    assert.deepEqual(outcomes, { a: "a later message was taken before it", b: 20 });
    assert.deepEqual(asked(), ["of another"]);
  });

  it("sends again a message whose sequence is below those of the known stream", async () => {
    const { publish, outcomes, take, turn } = setUp();
    publish("a");
    take()[0]!.answer(3);
    await turn();
    take()[0]!.answer(12);
    await turn();
    assert.deepEqual(outcomes, { a: 12 });
  });

  it("repairs a stream whose files are gone once for all messages that it refused", async () => {
    const { publish, calls, asked, take, turn } = setUp();
    publish("a");
    publish("b");
    for (const { refuse } of take()) refuse(new NatsApiError({ err_code: STORE_FAILED, description: "no" }));
    await turn();
    assert.deepEqual(calls, ["repair", "lost", "open"]);
    assert.deepEqual(asked(), ["a", "b"]);
  });

  it("rejects all waiting messages when the streams cannot be opened, and opens them again for the next message", async () => {
    const { publish, outcomes, streams, asked, turn } = setUp({ isOpen: false });
    const { open } = streams;
    streams.open = () => Promise.reject(unavailable("not connected"));
    publish("a");
    publish("b");
    await turn();
    assert.deepEqual(outcomes, { a: "not connected", b: "not connected" });
    streams.open = open;
    publish("c");
    await turn();
    assert.deepEqual(asked(), ["c"]);
  });

  it("refuses messages beyond maxPendingBytes while it waits for the streams", async () => {
    const { publish, outcomes, asked, turn } = setUp({ isOpen: false });
    publish("x".repeat(60));
    publish("y".repeat(60));
    await turn();
    assert.deepEqual(Object.keys(outcomes), ["y".repeat(60)]);
    assert.deepEqual(asked(), ["x".repeat(60)]);
  });

  it("gives up a message after four attempts", async () => {
    const { publish, outcomes, take, turn } = setUp();
    publish("a");
    for (let attempt = 1; attempt <= 4; attempt++) {
      const questions = take();
      assert.equal(questions.length, 1);
      questions[0]!.refuse(NO_RESPONDERS);
      await turn();
    }
    assert.deepEqual(take(), []);
    assert.deepEqual(outcomes, { a: "no responders" });
  });
});
