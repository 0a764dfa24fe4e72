// Typed events and requests: one contract for both ends of a session, with a schema (Standard Schema 1) for each event, and for
// the input and output of each request. It is a codec and some functions around it, for any channel or connection with the
// methods that it names: this file imports neither end.

import { badOption, badValue } from "../base/bad-option.ts";
import { ChannelError } from "../base/channel-error.ts";
import { checkOptionNames } from "../base/option-names.ts";
import { type MessageCodec, parseJson, type StandardSchema, validate } from "./message-codec.ts";

/** The schemas of one request. */
export interface Procedure {
  /** The data of the request. */
  readonly input: StandardSchema<unknown, unknown>;
  /** The data of the reply. */
  readonly output: StandardSchema<unknown, unknown>;
}

/** All that one end may send. */
export interface ContractSide {
  /** Events by their names: messages without an answer. */
  readonly events?: Readonly<Record<string, StandardSchema<unknown, unknown>>> | undefined;
  /** Requests by their names. */
  readonly requests?: Readonly<Record<string, Procedure>> | undefined;
}

type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never;
type OutputOf<S> = S extends {
  readonly "~standard": { readonly types?: { readonly output: infer Output } | undefined };
}
  ? Output
  : never;
type EventsOf<Side extends ContractSide> = NonNullable<Side["events"]>;
type RequestsOf<Side extends ContractSide> = NonNullable<Side["requests"]>;
type Names<T> = Extract<keyof T, string>;

/** An event as it is sent: what `event` returns, a message of the codec. */
export type EventMessage<Name extends string, Data> = { readonly event: Name; readonly data: Data };
type RequestMessage<Name extends string, Data> = { readonly request: Name; readonly data: Data };
type ReplyMessage<Name extends string, Data> = { readonly reply: Name; readonly data: Data };

type EventSent<Side extends ContractSide> = {
  [Name in Names<EventsOf<Side>>]: EventMessage<Name, InputOf<EventsOf<Side>[Name]>>;
}[Names<EventsOf<Side>>];
type EventReceived<Side extends ContractSide> = {
  [Name in Names<EventsOf<Side>>]: EventMessage<Name, OutputOf<EventsOf<Side>[Name]>>;
}[Names<EventsOf<Side>>];
type RequestSent<Side extends ContractSide> = {
  [Name in Names<RequestsOf<Side>>]: RequestMessage<Name, InputOf<RequestsOf<Side>[Name]["input"]>>;
}[Names<RequestsOf<Side>>];
type RequestReceived<Side extends ContractSide> = {
  [Name in Names<RequestsOf<Side>>]: RequestMessage<Name, OutputOf<RequestsOf<Side>[Name]["input"]>>;
}[Names<RequestsOf<Side>>];
type ReplySent<Side extends ContractSide> = {
  [Name in Names<RequestsOf<Side>>]: ReplyMessage<Name, InputOf<RequestsOf<Side>[Name]["output"]>>;
}[Names<RequestsOf<Side>>];
type ReplyReceived<Side extends ContractSide> = {
  [Name in Names<RequestsOf<Side>>]: ReplyMessage<Name, OutputOf<RequestsOf<Side>[Name]["output"]>>;
}[Names<RequestsOf<Side>>];

/** The messages that an end receives: `In` is what the other end may send, `Out` what this one may send. */
export type ContractReceived<In extends ContractSide, Out extends ContractSide> =
  | EventReceived<In>
  | RequestReceived<In>
  | ReplyReceived<Out>;
/** The messages that an end sends. */
export type ContractSent<In extends ContractSide, Out extends ContractSide> =
  | EventSent<Out>
  | RequestSent<Out>
  | ReplySent<In>;

/** The part of a channel or connection that is used for an event. */
export interface SendsMessages<Out> {
  /** Sends a message of the codec. */
  send(data: Out): boolean;
}

/**
 * A connection has `request` with the option `requests: requests()` of `connect` or `useChannel`. A type of its own, without the
 * contract: the error of TypeScript for a connection without this option ends with this name, and not with all schemas.
 */
export interface MadeWithRequests {
  /** Sends a request. */
  request(data: never, options?: never): Promise<unknown>;
}

/** The part of a channel or connection that is used for a request. `Options` are those of its `request`. */
export interface ContractChannel<In, Out, Options> extends SendsMessages<Out> {
  /** Sends a request of the codec. */
  request(data: Out, options?: Options): Promise<In>;
}

/** The handlers of events, by their names. `Rest`: the further parameters of a message handler, the channel for example. */
export type EventHandlers<Side extends ContractSide, Rest extends unknown[]> = {
  readonly [Name in Names<EventsOf<Side>>]?: (data: OutputOf<EventsOf<Side>[Name]>, ...rest: Rest) => unknown;
};
/** The handlers of requests: one for each. `Rest`: the further parameters of a request handler. The result is the data of the reply. */
export type RequestHandlers<Side extends ContractSide, Rest extends unknown[]> = {
  readonly [Name in Names<RequestsOf<Side>>]: (
    data: OutputOf<RequestsOf<Side>[Name]["input"]>,
    ...rest: Rest
  ) => InputOf<RequestsOf<Side>[Name]["output"]> | PromiseLike<InputOf<RequestsOf<Side>[Name]["output"]>>;
};

/** One end of a contract. */
export interface ContractEnd<In extends ContractSide, Out extends ContractSide> {
  /** The codec of this end, for the options of `openSession`, `createChannelStore` and `connect`. */
  readonly codec: MessageCodec<ContractReceived<In, Out>, ContractSent<In, Out>>;
  /** An event as a message, for `publish` and `broadcast`. */
  event<Name extends Names<EventsOf<Out>>>(
    name: Name,
    data: InputOf<EventsOf<Out>[Name]>,
  ): EventMessage<Name, InputOf<EventsOf<Out>[Name]>>;
  /** Sends an event: what `send` of the channel returns and throws. */
  send<Name extends Names<EventsOf<Out>>>(
    to: SendsMessages<ContractSent<In, Out>>,
    name: Name,
    data: InputOf<EventsOf<Out>[Name]>,
  ): boolean;
  /** Sends a request and resolves with the data of its reply: what `request` of the channel rejects with. */
  request<Name extends Names<RequestsOf<Out>>, Options>(
    to: MadeWithRequests & ContractChannel<unknown, ContractSent<In, Out>, Options>,
    name: Name,
    data: InputOf<RequestsOf<Out>[Name]["input"]>,
    options?: Options,
  ): Promise<OutputOf<RequestsOf<Out>[Name]["output"]>>;
  /**
   * Makes the handler of messages (`message`, `onMessage`) of handlers of events. Events without a handler are dropped. Throws
   * BAD_OPTION for a handler that is no function.
   */
  onEvents<Rest extends unknown[]>(
    handlers: EventHandlers<In, Rest>,
  ): (message: ContractReceived<In, Out>, ...rest: Rest) => unknown;
  /**
   * Makes the handler of requests (`request`, `onRequest`) of handlers for each of them. Throws BAD_OPTION if one is missing or no
   * function.
   */
  onRequests<Rest extends unknown[]>(
    handlers: RequestHandlers<In, Rest>,
  ): (message: ContractReceived<In, Out>, ...rest: Rest) => Promise<ContractSent<In, Out>>;
}

/** Both ends of a contract. */
export interface Contract<ToServer extends ContractSide, ToClient extends ContractSide> {
  /** The server's end. */
  readonly server: ContractEnd<ToServer, ToClient>;
  /** The client's end. */
  readonly client: ContractEnd<ToClient, ToServer>;
}

type AnyMessage = { readonly data?: unknown } & Readonly<Record<Kind, string | undefined>>;
type Kind = "event" | "request" | "reply";
type Schemas = Readonly<Record<Kind, ReadonlyMap<string, StandardSchema>>>;

/**
 * One contract for both ends of a session: the events and requests that each may send. The data of each message is checked by its
 * schema when it is sent and when it arrives; the receiver gets the output of the schema. Throws BAD_OPTION for a value that is not
 * a schema, and for a member of another name than those of `ContractSide`.
 */
export function defineContract<const ToServer extends ContractSide, const ToClient extends ContractSide>(sides: {
  readonly toServer: ToServer;
  readonly toClient: ToClient;
}): Contract<ToServer, ToClient> {
  checkOptionNames("defineContract", sides, ["toServer", "toClient"]);
  const { toServer, toClient } = sides;
  const up = schemasOf("toServer", toServer);
  const down = schemasOf("toClient", toClient);
  return { server: contractEnd(up, down), client: contractEnd(down, up) } as unknown as Contract<ToServer, ToClient>;
}

/** `incoming`: the schemas of what the other end may send, and of the replies to it. */
function contractEnd(incoming: Schemas, outgoing: Schemas): ContractEnd<ContractSide, ContractSide> {
  const received = { event: incoming.event, request: incoming.request, reply: outgoing.reply };
  const sent = { event: outgoing.event, request: outgoing.request, reply: incoming.reply };
  const codec = {
    contentType: "application/json; charset=utf-8",
    encode(message: AnyMessage) {
      check(sent, message);
      return JSON.stringify(message);
    },
    decode: (message: string | Uint8Array) => check(received, parseJson(message)),
  };
  return {
    codec: codec as never,
    event: (event, data) => ({ event, data }) as never,
    send: (to, event, data) => to.send({ event, data } as never),
    async request(to, request, data, options) {
      const { reply, data: result } = (await to.request({ request, data } as never, options)) as AnyMessage;
      if (reply !== request) throw new ChannelError("BAD_MESSAGE", `a reply to ${reply}, where ${request} was asked`);
      return result as never;
    },
    onEvents(handlers) {
      const known = handlersOf("onEvents", handlers, incoming.event.keys());
      return (message, ...rest) => {
        const { event, data } = message as AnyMessage;
        return known.get(event)?.call(handlers, data, ...rest);
      };
    },
    onRequests(handlers) {
      const known = handlersOf("onRequests", handlers, incoming.request.keys());
      for (const name of incoming.request.keys())
        if (!known.has(name)) throw badOption(`onRequests needs a handler for "${name}"`);
      return async (message, ...rest) => {
        const { request, data } = message as AnyMessage;
        const handler = known.get(request);
        // Without the codec of the contract a message is anything.
        if (handler === undefined)
          throw new ChannelError("BAD_MESSAGE", "not a request; is the codec of the contract given?");
        return { reply: request, data: await handler.call(handlers, data, ...rest) } as never;
      };
    },
  };
}

type AnyHandler = (...args: unknown[]) => unknown;

/** Returns the handlers by their names. Those of an object of a class are members of its prototype. */
function handlersOf(
  owner: string,
  handlers: Readonly<Record<string, unknown>>,
  names: Iterable<string>,
): ReadonlyMap<unknown, AnyHandler> {
  if (typeof handlers !== "object" || handlers === null)
    throw badValue(`the argument of ${owner}`, handlers, "an object");
  const known = new Map<unknown, AnyHandler>();
  for (const name of names) {
    const handler = isInherited(handlers, name) ? undefined : handlers[name];
    if (handler === undefined) continue;
    if (typeof handler !== "function") throw badValue(`${owner}: ${name}`, handler, "a function");
    known.set(name, handler as AnyHandler);
  }
  return known;
}

/** True for what all objects have: `toString` is a legal name of an event. */
function isInherited(handlers: object, name: string): boolean {
  return (handlers as never)[name] === (Object.prototype as never)[name];
}

function schemasOf(side: string, given: ContractSide = {}): Schemas {
  checkOptionNames(`${side} of defineContract`, given, ["events", "requests"]);
  const { events = {}, requests = {} } = given;
  checkNames(`${side}.events`, events);
  checkNames(`${side}.requests`, requests);
  const schemas = { event: new Map(), request: new Map(), reply: new Map() };
  for (const [name, schema] of Object.entries(events))
    schemas.event.set(name, checked(`${side}.events.${name}`, schema));
  for (const [name, procedure] of Object.entries(requests)) {
    schemas.request.set(name, checked(`${side}.requests.${name}.input`, procedure?.input));
    schemas.reply.set(name, checked(`${side}.requests.${name}.output`, procedure?.output));
  }
  return schemas;
}

function checkNames(name: string, given: object): void {
  if (typeof given !== "object" || given === null) throw badValue(`defineContract: ${name}`, given, "an object");
}

function checked(name: string, schema: StandardSchema<unknown, unknown> | undefined): StandardSchema<unknown, unknown> {
  if (typeof schema?.["~standard"]?.validate === "function") return schema;
  throw new ChannelError("BAD_OPTION", `defineContract: ${name} must be a schema, of zod 4 for example`);
}

/** Returns the message with the output of its schema. Throws BAD_MESSAGE. */
function check(schemas: Schemas, message: unknown): AnyMessage {
  const { data, ...names } = Object(message) as AnyMessage;
  const kinds = (["event", "request", "reply"] as const).filter((kind) => typeof names[kind] === "string");
  const [kind] = kinds;
  const schema = kind === undefined || kinds.length > 1 ? undefined : schemas[kind].get(names[kind]!);
  if (kind === undefined || schema === undefined) {
    throw new ChannelError("BAD_MESSAGE", `the contract has no ${kind ?? "message"} ${String(kind && names[kind])}`);
  }
  return { [kind]: names[kind], data: validate(schema, data) } as unknown as AnyMessage;
}
