// The entry of `unichannel/react`: a connection for as long as a component is mounted, shared by all that have its URL.

import { type RefObject, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { badOption } from "../base/bad-option.ts";
import type { WithCodec } from "../codec/message-codec.ts";
import type { CarrierKind } from "./carrier.ts";
import { connect, type WithRequests } from "./connect.ts";
import type { Connection, ConnectionState, ConnectOptions, Message, Opening, Sendable } from "./connection.ts";
import type { RequestConnection } from "./requests.ts";

/** Components with the same URL share a connection; it has the options of the first one. */
export interface UseChannelOptions<In = Message, Out = Sendable> extends ConnectOptions {
  /** Each message while the component is mounted. May be another function at each render. */
  readonly onMessage?: ((message: In) => void) | undefined;
  /** As the connection's own `onOpen`. */
  readonly onOpen?: ((opening: Opening<Out>) => void) | undefined;
}

/** The result of `useChannel`. `C` is a `RequestConnection` where the options have `requests`. */
export interface UsedChannel<In = Message, Out = Sendable, C extends Connection<In, Out> = Connection<In, Out>> {
  /** `connecting` on a server, and until the component is mounted. */
  readonly state: ConnectionState;
  /** The kind of transport that carries it now; undefined unless `state` is `open`. */
  readonly transport: CarrierKind | undefined;
  /** The connection's; false before the component is mounted. The same function for the same connection. */
  readonly send: (data: Out) => boolean;
  /** The connection; undefined before the component is mounted. */
  readonly connection: C | undefined;
}

interface Shared {
  readonly connection: Connection<unknown, unknown>;
  users: number;
}

const all = new Map<string, Shared>();

/**
 * A connection to `url` (null: none) while the component is mounted. Components with the same URL share one; it is
 * closed when the last of them is gone. With `requests`, `connection` asks and answers; BAD_OPTION, while React mounts the component,
 * if the connection was made by a component without.
 */
export function useChannel<In, Out>(
  url: string | URL | null,
  options: UseChannelOptions<In, Out> & WithCodec<In, Out> & WithRequests,
): UsedChannel<In, Out, RequestConnection<In, Out>>;
export function useChannel(
  url: string | URL | null,
  options: UseChannelOptions & WithRequests,
): UsedChannel<Message, Sendable, RequestConnection>;
export function useChannel<In, Out>(
  url: string | URL | null,
  options: UseChannelOptions<In, Out> & WithCodec<In, Out>,
): UsedChannel<In, Out>;
export function useChannel(url: string | URL | null, options?: UseChannelOptions): UsedChannel;
export function useChannel(url: string | URL | null, options: object = {}): unknown {
  return useAny(url, options);
}

type AnyOptions = UseChannelOptions<unknown, unknown> & Partial<WithCodec<unknown, unknown>>;

function useAny(url: string | URL | null, options: AnyOptions): UsedChannel<unknown, unknown> {
  const key = url === null ? undefined : String(url);
  const latest: RefObject<AnyOptions> = useRef(options);
  const [connection, setConnection] = useState<Connection<unknown, unknown>>();
  useEffect(() => {
    latest.current = options;
  });
  useEffect(() => {
    if (key === undefined) return undefined;
    const shared = acquire(key, latest.current);
    const offMessage = shared.connection.onMessage((message) => latest.current.onMessage?.(message));
    const offOpen = shared.connection.onOpen((opening) => latest.current.onOpen?.(opening));
    setConnection(shared.connection);
    return () => {
      offMessage();
      offOpen();
      setConnection(undefined);
      release(key, shared);
    };
  }, [key]);
  const subscribe = useCallback(
    (onChange: () => void) => {
      const offs = [connection?.onState(onChange), connection?.onOpen(onChange)];
      return () => {
        for (const off of offs) off?.();
      };
    },
    [connection],
  );
  // One text, so that equal states are equal.
  const snapshot = (): string => `${connection?.state ?? "connecting"} ${connection?.transport ?? ""}`;
  const [state, transport] = useSyncExternalStore(subscribe, snapshot, () => "connecting ").split(" ");
  const send = useCallback((data: unknown) => connection?.send(data) ?? false, [connection]);
  return {
    state: state as ConnectionState,
    transport: transport === "" ? undefined : (transport as CarrierKind),
    send,
    connection,
  };
}

function acquire(key: string, options: AnyOptions): Shared {
  let shared = all.get(key);
  if (shared === undefined || shared.connection.state === "closed") {
    const { onMessage: _, onOpen: __, ...others } = options;
    const connection = connect(key, others as ConnectOptions & WithCodec<unknown, unknown>);
    shared = { connection, users: 0 };
    all.set(key, shared);
  }
  // Its type would promise methods that the connection does not have.
  if (options.requests && !("request" in shared.connection))
    throw badOption(`another component has connected to ${key} without requests; give it the same options`);
  shared.users += 1;
  return shared;
}

function release(key: string, shared: Shared): void {
  shared.users -= 1;
  // Later: StrictMode, and a page that shows another of its views, take it again at once.
  setTimeout(() => {
    if (shared.users > 0) return;
    if (all.get(key) === shared) all.delete(key);
    shared.connection.close();
  });
}
