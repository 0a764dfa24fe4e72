// @ts-check
// One colour for each peer, the same in all charts. They can be told apart on light and on dark pages.

/** @type {readonly (readonly [peer: RegExp, name: string, colour: string])[]} */
const PEERS = [
  [/^unichannel/, "unichannel", "#1295c0"],
  [/^ws\b/, "ws", "#bf8700"],
  [/^node:http/, "node-http", "#2da44e"],
  [/^uWebSockets/, "uws", "#e5534b"],
  [/^Bun\./, "bun", "#d4679b"],
  [/^Deno\./, "deno", "#8d7a5f"],
  [/^Socket\.IO/, "socket-io", "#8f67e0"],
  [/^better-sse/, "better-sse", "#d9730d"],
  [/^Fastify/, "fastify", "#6b7fb8"],
  [/^Hono/, "hono", "#b56a4d"],
];

/** Bare loops and what else is measured for comparison. */
const OTHER = "#8c959f";

/** @param {string} peer */
export function colourClass(peer) {
  return PEERS.find(([pattern]) => pattern.test(peer))?.[1] ?? "other";
}

/** The rules of all classes, for bars and for lines. */
export const COLOURS = [...PEERS.map(([, name, colour]) => [name, colour]), ["other", OTHER]]
  .map(([name, colour]) => `rect.${name} { fill: ${colour} } .line.${name} { stroke: ${colour} }`)
  .join("\n  ");
