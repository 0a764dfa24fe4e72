// The public entry: takes a handler and options, and returns a server that listens.

import { runtime } from "../base/runtime.ts";
import type { Handler } from "../request/handle.ts";
import { toServeOptions } from "./check-options.ts";
import { type EngineListenerClass, type EngineParts, EngineServer } from "./engine-server.ts";
import type { FetchHandler, ServeOptions } from "./options.ts";
import type { Server } from "./server.ts";

/**
 * Starts a server; resolves when it listens. `serve(handler, options)`; for any Fetch handler `serve({ fetch, ...options })`
 * or `serve(application, options)`. Rejects with Node's own error when the address cannot be used (EADDRINUSE, EACCES), and with
 * BAD_OPTION for a wrong option.
 */
export function serve<Attachment = unknown>(
  handler: Handler<Attachment>,
  options?: ServeOptions<Attachment>,
): Promise<Server>;
export function serve(options: ServeOptions & { readonly fetch: FetchHandler }): Promise<Server>;
export function serve(application: { readonly fetch: FetchHandler }, options?: ServeOptions): Promise<Server>;
export async function serve(
  first: Handler<never> | { readonly fetch: FetchHandler },
  second?: ServeOptions,
): Promise<Server> {
  const options = toServeOptions(first, second);
  const server = new EngineServer(toHandler(first as Handler), options, await loadParts(options));
  await server.listen();
  return server;
}

/** Loads the modules that only some options need: the others cost a process nothing when it starts. */
async function loadParts(options: ServeOptions): Promise<EngineParts> {
  return {
    Listening: await listeningClass(options),
    tls: options.tls === undefined ? undefined : await import("./tls.ts"),
    Service: options.sessions === undefined ? undefined : (await import("./relay/session-service.ts")).SessionService,
  };
}

/** The class of the listening socket; undefined for that of node:net. Bun's own is loaded on Bun alone. */
async function listeningClass(options: ServeOptions): Promise<EngineListenerClass | undefined> {
  if (runtime !== "bun") return undefined;
  const { BunListener, suitsBunListener } = await import("./bun/listener.ts");
  return suitsBunListener(options) ? BunListener : undefined;
}

/** `serve` under the name that http-kit gave it. */
export const runServer: typeof serve = serve;

export function toHandler(handler: Handler | { readonly fetch: FetchHandler }): Handler {
  if (typeof handler === "function") return handler;
  return (request) => {
    // Fetch forbids these methods in a Request (WHATWG Fetch §2.2.1): no such handler can ever see one.
    if (/^(CONNECT|TRACE|TRACK)$/i.test(request.method)) return { status: 405, headers: { Allow: "GET, HEAD, POST" } };
    return handler.fetch(request.toRequest());
  };
}
