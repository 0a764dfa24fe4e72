// The contract of a Channel as one suite, run over every transport and carrier. What a transport cannot do is named by
// a capability that the row needs; the report then says which is missing.

import { describe, it, type TestContext } from "node:test";
import { closingRows } from "./closing.ts";
import type { Capabilities, Need, Open } from "./conversation.ts";
import { pressureRows } from "./pressure.ts";
import { receivingRows } from "./receiving.ts";
import { sendingRows } from "./sending.ts";
import { throwingRows } from "./throwing.ts";
import { typedRows } from "./typed.ts";

type Run = (t: TestContext) => Promise<void>;

/** The channel and client that each row is written against. */
export interface Contract {
  readonly open: Open;
  readonly can: Capabilities;
  /** One row: a test that runs where all of `needs` are there. */
  row(name: string, run: Run): void;
  row(name: string, needs: readonly Need[], run: Run): void;
}

export function channelContract(name: string, open: Open, can: Capabilities, skip: string | false = false): void {
  describe(`a channel carried by ${name}`, { skip }, () => {
    const contract: Contract = {
      open,
      can,
      row(title: string, second: Run | readonly Need[], third?: Run) {
        const needs = typeof second === "function" ? [] : second;
        const run = typeof second === "function" ? second : third;
        const missing = needs.filter((need) => !can[need]);
        it(title, { skip: missing.length > 0 && `needs ${missing.join(" and ")}` }, run);
      },
    };
    sendingRows(contract);
    closingRows(contract);
    receivingRows(contract);
    pressureRows(contract);
    throwingRows(contract);
    typedRows(contract);
  });
}
