// The runtime of this process: Node, Bun or Deno. Used only where they behave differently and no feature shows which one it is.

export type Runtime = "node" | "bun" | "deno";

export const runtime: Runtime =
  process.versions["bun"] !== undefined ? "bun" : process.versions["deno"] !== undefined ? "deno" : "node";
