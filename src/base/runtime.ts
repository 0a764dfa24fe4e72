// The runtime under the process, where its behaviour differs from Node's and nothing else tells the difference.

export type Runtime = "node" | "bun" | "deno";

export const runtime: Runtime =
  process.versions["bun"] !== undefined ? "bun" : process.versions["deno"] !== undefined ? "deno" : "node";
