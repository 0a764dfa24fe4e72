// The option `relay` of `serve`, apart from the relay, which is loaded with `sessions` alone.

import {
  badOption,
  checkFilledString,
  checkInteger,
  checkOptions,
  type OptionTable,
} from "../../base/option-values.ts";

/** The option `relay` of `serve`: where the other processes of the service reach this one. */
export interface RelayOptions {
  /** The address of this machine in the network of the processes. It must not be reachable from outside. */
  readonly host: string;
  /** @default 0: any free port */
  readonly port?: number | undefined;
}

const RELAY_OPTIONS: OptionTable = { host: checkFilledString, port: checkInteger(0, 65_535) };

/** Throws BAD_OPTION. Without a host it would listen at all addresses of the machine. */
export function checkRelay(name: string, value: unknown): void {
  checkOptions(name, value, RELAY_OPTIONS, `${name}.`);
  if ((value as Partial<RelayOptions>).host === undefined) {
    throw badOption(`${name} needs host, the address of this machine in the network of the processes`);
  }
}
