// Typed messages: between a value of the application and a message, with a schema for either direction.
// Schemas are those of Standard Schema 1 (https://standardschema.dev), which zod, valibot and others implement; this file
// has its interface. Both ends of a channel share one definition.

import { ChannelError } from "../base/channel-error.ts";

/** The part of Standard Schema 1 that is used. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The interface of Standard Schema, by which a schema is asked to validate. */
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/**
 * Converts between messages and the application's values, for one end: it receives `In` and sends `Out`.
 * Both functions keep no state, and throw BAD_MESSAGE for a message or value that is not allowed.
 */
export interface MessageCodec<In, Out> {
  /** The `Content-Type` of a plain HTTP response with an encoded value. @default that of any text or bytes */
  readonly contentType?: string | undefined;
  // Properties, not methods: TypeScript would let a method's parameter be of another type than `Out`.
  /** Converts a value to a message: text, or bytes that do not change afterwards. Must not return a promise. */
  readonly encode: (value: Out) => string | Uint8Array;
  /** Converts a received message to a value: whatever text or bytes the other end has sent. Must not return a promise. */
  readonly decode: (message: string | Uint8Array) => In;
}

/**
 * Options with a codec, which decides the types of the messages: `const options: ChannelOptions<In, Out> & WithCodec<In, Out>`.
 * Options without this type may or may not have a codec, so they fit channels of text and bytes alone.
 */
export interface WithCodec<In, Out> {
  /** Converts messages to values of the application. */
  readonly codec: MessageCodec<In, Out>;
}

/** The type of the values that the end with this codec receives: `Received<typeof chat.server>`. */
export type Received<Codec> = Codec extends MessageCodec<infer In, never> ? In : never;

/** The type of the values that the end with this codec sends: `Sent<typeof chat.server>`. */
export type Sent<Codec> = Codec extends MessageCodec<unknown, infer Out> ? Out : never;

type InputOf<S> = S extends StandardSchema<infer Input, unknown> ? Input : never;
type OutputOf<S> = S extends {
  readonly "~standard": { readonly types?: { readonly output: infer Output } | undefined };
}
  ? Output
  : never;

/** Both ends' codecs of one definition, as `jsonMessages` makes them. */
export interface JsonMessages<ToServer, ToClient> {
  /** The codec for the options of `withChannel`, `openChannel`, `openSession` and `createChannelStore`. */
  readonly server: MessageCodec<OutputOf<ToServer>, InputOf<ToClient>>;
  /** The codec for the options of `connect`. */
  readonly client: MessageCodec<OutputOf<ToClient>, InputOf<ToServer>>;
}

/**
 * Messages as JSON text, checked by their schema when they are sent and when they arrive. The sender sends the value itself,
 * the receiver gets the output of its schema. A schema must validate synchronously. Throws BAD_OPTION for a value that is
 * not a schema.
 */
export function jsonMessages<
  ToServer extends StandardSchema<unknown, unknown>,
  ToClient extends StandardSchema<unknown, unknown>,
>(schemas: { readonly toServer: ToServer; readonly toClient: ToClient }): JsonMessages<ToServer, ToClient> {
  const { toServer, toClient } = schemas ?? {};
  checkSchema("toServer", toServer);
  checkSchema("toClient", toClient);
  return {
    server: jsonCodec(toServer, toClient) as JsonMessages<ToServer, ToClient>["server"],
    client: jsonCodec(toClient, toServer) as JsonMessages<ToServer, ToClient>["client"],
  };
}

function checkSchema(name: string, schema: StandardSchema | undefined): void {
  if (typeof schema?.["~standard"]?.validate === "function") return;
  throw new ChannelError("BAD_OPTION", `jsonMessages: ${name} must be a schema, of zod 4 for example`);
}

function jsonCodec(incoming: StandardSchema, outgoing: StandardSchema): MessageCodec<unknown, unknown> {
  return {
    contentType: "application/json; charset=utf-8",
    encode(value) {
      validate(outgoing, value);
      return JSON.stringify(value);
    },
    decode: (message) => validate(incoming, parseJson(message)),
  };
}

/** Throws BAD_MESSAGE. */
export function parseJson(message: string | Uint8Array): unknown {
  if (typeof message !== "string") throw new ChannelError("BAD_MESSAGE", "binary, where JSON is expected");
  try {
    return JSON.parse(message);
  } catch (cause) {
    throw new ChannelError("BAD_MESSAGE", "not JSON", { cause });
  }
}

/** Returns the output of the schema. Throws BAD_MESSAGE, or BAD_OPTION if the schema is asynchronous. */
export function validate(schema: StandardSchema, value: unknown): unknown {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) throw new ChannelError("BAD_OPTION", "a schema of messages must not be asynchronous");
  if (result.issues === undefined) return result.value;
  throw new ChannelError("BAD_MESSAGE", result.issues.map(describe).join("; "));
}

function describe({ message, path = [] }: SchemaIssue): string {
  const keys = path.map((step) => String(typeof step === "object" ? step.key : step));
  return keys.length === 0 ? message : `${keys.join(".")}: ${message}`;
}
