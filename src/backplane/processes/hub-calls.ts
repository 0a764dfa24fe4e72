// The calls of a process, as the hub executes them: a table with one function for each kind of frame. Each reads the fields of its
// call in their order, has done its work when it returns, and writes the answer.

import { unavailable } from "../unavailable.ts";
import type { Caller } from "./caller.ts";
import type { FieldReader, Frame, FrameWriter } from "./frame.ts";
import { HubSubscription } from "./hub-subscription.ts";
import { CALL, type CallKind, REPLY } from "./kinds.ts";
import { type AnswerParts, ListAnswer } from "./list-answer.ts";

/** Returns the function that writes the fields of the answer, nothing for an answer without fields, or the parts of a long one. */
type CallHandler = (
  fields: FieldReader,
  caller: Caller,
) => ((writer: FrameWriter) => void) | undefined | AnswerParts<never>;

const HANDLERS: Readonly<Record<CallKind, CallHandler>> = {
  [CALL.HELLO]: (_, { state }) => numberAnswer(state.epoch),

  [CALL.BYE](_, caller) {
    caller.subscriptions.clear();
    caller.state.broker.drop(caller);
    return undefined;
  },

  [CALL.PUBLISH](fields, { state }) {
    const group = fields.text();
    const keep = { size: fields.number(), ttlMs: fields.number() };
    return numberAnswer(state.broker.append(group, fields.bytes(), keep));
  },

  [CALL.PUBLISH_LATEST](fields, { state }) {
    const group = fields.text();
    const keep = { size: fields.number(), ttlMs: fields.number() };
    const payload = fields.bytes();
    const of = {
      key: fields.text(),
      isRemoved: fields.flag(),
      maxKeys: fields.number(),
      ttlMs: fields.number(),
    };
    return numberAnswer(state.broker.appendValue(group, payload, keep, of));
  },

  [CALL.LATEST]: (fields, { state }) => entriesAnswer(state.broker.values(fields.text())),

  [CALL.SUBSCRIBE](fields, caller) {
    const { broker } = caller.state;
    const group = fields.text();
    const position = broker.count;
    const last = broker.lastNumber(group) ?? 0;
    new HubSubscription(caller, group, fields.number(), position);
    return (writer) => writer.number(position).number(last);
  },

  [CALL.RESUME](fields, caller) {
    const group = fields.text();
    const number = fields.number();
    const isKnown = fields.number() === caller.state.epoch;
    const position = fields.number();
    // All positions of an earlier hub are before the first entry, and what followed them is lost.
    new HubSubscription(caller, group, number, isKnown ? position : -1).fallBehind();
    return undefined;
  },

  [CALL.UNSUBSCRIBE](fields, { subscriptions }) {
    subscriptions.get(fields.number())?.end();
    return undefined;
  },

  [CALL.HISTORY](fields, { state }) {
    const group = fields.text();
    const since = fields.number();
    const { entries, reset } = state.broker.history(group, since === 0 ? undefined : since);
    return { ...entriesAnswer(entries), writeEnd: (writer) => void writer.flag(reset) };
  },

  [CALL.ENTER](fields, caller) {
    const group = fields.text();
    caller.state.broker.enter(caller, group, { key: fields.text(), payload: fields.bytes() });
    return undefined;
  },

  [CALL.RELEASE](fields, caller) {
    caller.state.broker.release(caller, fields.text(), fields.text());
    return undefined;
  },

  [CALL.LEAVE](fields, { state }) {
    state.broker.leave(fields.text(), fields.text());
    return undefined;
  },

  [CALL.PRESENT]: (fields, { state }) =>
    parts({
      items: state.broker.present(fields.text()),
      writeItem: (writer, { key, payload }) => void writer.text(key).bytes(payload),
    }),

  [CALL.READ_RECORD](fields, { state }) {
    const value = state.broker.readRecord(fields.text());
    return (writer) => writer.optional(value);
  },

  [CALL.SWAP_RECORD]: (fields, { state }) =>
    flagAnswer(state.broker.swapRecord(fields.text(), fields.optional(), fields.optional())),

  [CALL.LIST_RECORDS]: (_, { state }) =>
    parts({
      items: state.broker.listRecords(),
      writeItem: (writer, { name, value }) => void writer.text(name).bytes(value),
    }),

  [CALL.PUT](fields, { state }) {
    const [token, owner, ttlMs] = [fields.text(), fields.text(), fields.number()];
    return flagAnswer(state.sessions.put(token, owner, fields.bytes(), ttlMs));
  },

  [CALL.TAKE](fields, { state }) {
    const [token, taker, ttlMs] = [fields.text(), fields.text(), fields.number()];
    const from = fields.flag() ? fields.text() : undefined;
    const answer = state.sessions.take(token, taker, ttlMs, from);
    const { owner, isClaimed } = answer.type === "owned" ? answer : { owner: "", isClaimed: false };
    return parts({
      items: answer.type === "taken" ? [answer.snapshot] : [],
      writeItem: (writer, snapshot) => void writer.bytes(snapshot),
      writeEnd: (writer) => void writer.text(answer.type).text(owner).flag(isClaimed),
    });
  },

  [CALL.CLAIM]: (fields, { state }) => flagAnswer(state.sessions.claim(fields.text(), fields.text(), fields.number())),

  [CALL.RENEW](fields, { state }) {
    const [owner, ttlMs] = [fields.text(), fields.number()];
    const tokens: string[] = [];
    while (fields.hasMore) tokens.push(fields.text());
    return parts({
      items: state.sessions.renew(tokens, owner, ttlMs),
      writeItem: (writer, token) => void writer.text(token),
    });
  },

  [CALL.FORGET](fields, { state }) {
    state.sessions.forget(fields.text(), fields.text());
    return undefined;
  },

  [CALL.ANNOUNCE](fields, { state, worker }) {
    const process = fields.text();
    state.announced(worker, process);
    state.sessions.announce(process, fields.text(), fields.number());
    return undefined;
  },

  [CALL.WITHDRAW](fields, { state, worker }) {
    const process = fields.text();
    state.withdrawn(worker, process);
    state.sessions.withdraw(process);
    return undefined;
  },

  [CALL.LOCATE](fields, { state }) {
    const address = state.sessions.locate(fields.text());
    return (writer) => writer.flag(address !== undefined).text(address ?? "");
  },

  [CALL.SECRET](fields, { state }) {
    const known = fields.text();
    const secret = state.sessions.secret(known === "" ? undefined : known);
    return (writer) => writer.text(secret);
  },
};

/** Executes a call and answers it. Throws for one that does not exist, or whose fields are malformed. */
export function answerCall(caller: Caller, { kind, number, fields }: Frame): void {
  const handler = (HANDLERS as Readonly<Record<number, CallHandler | undefined>>)[kind];
  if (handler === undefined) throw unavailable(`a call of the kind ${kind}`);
  const answer = handler(fields, caller);
  if (typeof answer === "object") {
    caller.answerInParts(new ListAnswer(caller, number, answer as AnswerParts<unknown>));
    return;
  }
  caller.writer.begin(REPLY.ANSWER, number);
  answer?.(caller.writer);
  caller.writer.end();
}

function numberAnswer(value: number): (writer: FrameWriter) => void {
  return (writer) => void writer.number(value);
}

function flagAnswer(value: boolean): (writer: FrameWriter) => void {
  return (writer) => void writer.flag(value);
}

function parts<Item>(answer: AnswerParts<Item>): AnswerParts<never> {
  return answer as AnswerParts<never>;
}

function entriesAnswer(
  entries: readonly { readonly number: number; readonly payload: Uint8Array }[],
): AnswerParts<never> {
  return parts({
    items: entries,
    writeItem: (writer, { number, payload }) => void writer.number(number).bytes(payload),
  });
}
