// Checks of what the applications pass to the backplane and to the session store over NATS.

import { badValue, checkInteger, checkMethods, type ValueCheck } from "../../base/option-values.ts";

/** Checks of the options that name and create streams. */
export const STREAM_OPTIONS: { readonly name: ValueCheck; readonly replicas: ValueCheck } = {
  name(name, value) {
    if (typeof value !== "string" || !/^[\w-]+$/.test(value)) throw badValue(name, value, "letters, digits, - and _");
  },
  // JetStream allows no more.
  replicas: checkInteger(1, 5),
};

export const checkConnection: ValueCheck = checkMethods("a connection of @nats-io/transport-node or nats", [
  "publish",
  "request",
  "subscribe",
  "flush",
  "status",
]);
