// The option `relay` of `serve`, apart from the relay, which is loaded with `sessions` alone.

import { checkFilledString, checkInteger, type OptionTable } from "../../base/option-values.ts";

/** The option `relay` of `serve`: where the other processes of the service reach this one. */
export interface RelayOptions {
  /** The address of this machine in the network of the processes. It must not be reachable from outside. */
  readonly host: string;
  /** @default 0: any free port */
  readonly port?: number | undefined;
}

export const RELAY_OPTIONS: OptionTable = { host: checkFilledString, port: checkInteger(0, 65_535) };
