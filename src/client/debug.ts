// The lines that the option `debug` prints.

import { guard } from "../base/guard.ts";
import type { ConnectOptions } from "./connection.ts";

/** Returns a function that prints a line, or does nothing if nothing is to be printed. */
export function debugPrinter(debug: ConnectOptions["debug"]): (line: string) => void {
  const print = debug === true ? console.log : debug || (() => {});
  return (line) =>
    void guard(
      // Some platforms name the URL in their errors; its query has the token and the `params` of the application.
      () => print(`unichannel ${line.replace(/\?[^\s)]+/g, "?…")}`),
      () => {},
    );
}
