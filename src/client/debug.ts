// The lines of the option `debug`.

import { guard } from "../base/guard.ts";
import type { ConnectOptions } from "./connection.ts";

/** Returns what prints a line, if anything is to be printed. */
export function debugPrinter(debug: ConnectOptions["debug"]): (line: string) => void {
  const print = debug === true ? console.log : debug || (() => {});
  return (line) =>
    void guard(
      // Some platforms name the URL in their errors: its query has the token, and what `params` has.
      () => print(`unichannel ${line.replace(/\?[^\s)]+/g, "?…")}`),
      () => {},
    );
}
