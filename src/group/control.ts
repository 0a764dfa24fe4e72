// Control entries: what a store tells the stores of all processes about the members of a group. They are in the group's stream, so
// they have a place in the order of its messages. No member receives them.

import { checkClose } from "../channel/public-channel.ts";

/** Fields that the attachment of a member must have, with these values. */
export type MemberFields = Readonly<Record<string, string | number | boolean | null>>;

/** Closes members of the group. */
export interface Disconnect {
  readonly kind: "disconnect";
  readonly code: number;
  readonly reason: string;
  readonly where: MemberFields | undefined;
}

/** Adds members of the group to another one. */
export interface Move {
  readonly kind: "move";
  /** The other group. */
  readonly to: string;
  /** True if they stay members of the first group. */
  readonly keep: boolean;
  readonly where: MemberFields | undefined;
}

/** Stops a stream that a process publishes to the group. */
export interface StopStream {
  readonly kind: "stop";
  readonly stream: string;
}

/** A control that concerns members. */
export type MemberControl = Disconnect | Move;

export type Control = MemberControl | StopStream;

/** A control with its place in the group's stream. */
export class ControlEntry<Kind extends Control = Control> {
  readonly id: string;
  readonly control: Kind;

  constructor(id: string, control: Kind) {
    this.id = id;
    this.control = control;
  }
}

export function isControl(value: { readonly kind: string }): value is Control {
  return value.kind === "disconnect" || value.kind === "move" || value.kind === "stop";
}

/** Returns true if the control concerns a member with this attachment. */
export function concerns({ where }: MemberControl, attachment: unknown): boolean {
  if (where === undefined) return true;
  if (typeof attachment !== "object" || attachment === null) return false;
  return Object.entries(where).every(
    ([name, value]) => Object.hasOwn(attachment, name) && (attachment as Record<string, unknown>)[name] === value,
  );
}

export function encodeControl(control: Control): string {
  return JSON.stringify(control);
}

/** Returns undefined for a text that is not a control. Other programs may write to the broker, too. */
export function decodeControl(text: string): Control | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, code, reason, to, keep, where, stream } = value as Readonly<Record<string, unknown>>;
  if (where !== undefined && !areFields(where)) return undefined;
  if (kind === "stop") return typeof stream === "string" ? { kind, stream } : undefined;
  if (kind === "move") {
    return typeof to === "string" && typeof keep === "boolean" ? { kind, to, keep, where } : undefined;
  }
  if (kind !== "disconnect" || typeof code !== "number" || typeof reason !== "string") return undefined;
  try {
    checkClose(code, reason);
  } catch {
    return undefined;
  }
  return { kind, code, reason, where };
}

export function areFields(value: unknown): value is MemberFields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (field) => field === null || typeof field === "string" || typeof field === "boolean" || Number.isFinite(field),
  );
}
