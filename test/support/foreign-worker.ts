// A worker of another cluster than that of `runProcesses`, which calls it all the same. Prints the error.

import { runProcesses } from "../../src/processes.ts";

await runProcesses(1, () => ({ stop() {} })).catch((error: { code?: string; message: string }) => {
  process.send!(`${error.code} ${error.message}`, () => process.exit());
});
