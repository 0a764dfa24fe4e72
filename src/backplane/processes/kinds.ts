/** Changes when frames or fields do: a process and a hub of different versions do not talk. */
export const PROTOCOL_VERSION = 1;

/** From a process to the hub. */
export const CALL = {
  /** number version, number worker → number epoch. The first frame of each connection. */
  HELLO: 1,
  /** → nothing. What this connection has entered is removed, and it ends. */
  BYE: 2,

  /** text group, number size, number ttlMs, bytes payload → number entry */
  PUBLISH: 10,
  /** as PUBLISH, then text key, flag isRemoved, number maxKeys, number ttlMs → number entry */
  PUBLISH_LATEST: 11,
  /** text group → entries: number, bytes */
  LATEST: 12,
  /** text group, number subscription → number position, number entry (0: none) */
  SUBSCRIBE: 13,
  /** text group, number subscription, number epoch, number position → nothing. Goes on behind the position. */
  RESUME: 14,
  /** number subscription → nothing */
  UNSUBSCRIBE: 15,
  /** text group, number since (0: all, -1: an unknown one) → entries as LATEST; the answer: flag reset */
  HISTORY: 16,
  /** text group, text key, bytes payload → nothing */
  ENTER: 17,
  /** text group, text key → nothing */
  RELEASE: 18,
  /** text group, text key → nothing */
  LEAVE: 19,
  /** text group → members: text key, bytes payload */
  PRESENT: 20,
  /** text name → optional value */
  READ_RECORD: 21,
  /** text name, optional expected, optional next → flag */
  SWAP_RECORD: 22,
  /** → records: text name, bytes value */
  LIST_RECORDS: 23,

  /** text token, text owner, number ttlMs, bytes snapshot → flag */
  PUT: 30,
  /** text token, text taker, number ttlMs, flag hasFrom, text from → PART with bytes snapshot if taken; text type, text owner, flag isClaimed */
  TAKE: 31,
  /** text token, text taker, number ttlMs → flag */
  CLAIM: 32,
  /** text owner, number ttlMs, texts → texts */
  RENEW: 33,
  /** text token, text owner → nothing */
  FORGET: 34,
  /** text process, text address, number ttlMs → nothing */
  ANNOUNCE: 35,
  /** text process → nothing */
  WITHDRAW: 36,
  /** text process → flag isKnown, text address */
  LOCATE: 37,
  /** text known (empty: none) → text */
  SECRET: 38,
} as const;

export type CallKind = (typeof CALL)[keyof typeof CALL];

/** From the hub to a process. */
export const REPLY = {
  /** The fields of the answer; the number is that of the call. */
  ANSWER: 100,
  /** Items of a long answer, before its ANSWER. */
  PART: 101,
  /** number entry, bytes payload; the number of the frame is that of the subscription. */
  ENTRY: 102,
  /** number position: entries up to it are lost for the subscription. */
  GAP: 103,
} as const;
