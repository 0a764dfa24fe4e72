// Listens to the events of node:diagnostics_channel for the length of a test.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { TestContext } from "node:test";
import type { DiagnosticsMessages } from "../../src/index.ts";

export type EventName = keyof DiagnosticsMessages;

/** One event with its name. */
export type Event = { [Name in EventName]: DiagnosticsMessages[Name] & { readonly name: Name } }[EventName];

/** All names; the compiler sees to it that none is missing. */
const ALL: Record<EventName, true> = {
  "unichannel:server.start": true,
  "unichannel:server.stop": true,
  "unichannel:connection.open": true,
  "unichannel:connection.close": true,
  "unichannel:connection.refuse": true,
  "unichannel:request.start": true,
  "unichannel:request.end": true,
  "unichannel:request.refuse": true,
  "unichannel:channel.open": true,
  "unichannel:channel.close": true,
  "unichannel:channel.overflow": true,
  "unichannel:channel.rate": true,
  "unichannel:session.attach": true,
  "unichannel:session.detach": true,
  "unichannel:session.lost": true,
  "unichannel:session.relay": true,
  "unichannel:session.store": true,
  "unichannel:session.take": true,
  "unichannel:error": true,
};

export const EVENT_NAMES: readonly EventName[] = Object.keys(ALL) as EventName[];

export class Heard {
  readonly events: Event[] = [];
  /** Hears no more. */
  readonly stop: () => void;

  constructor(stop: () => void) {
    this.stop = stop;
  }

  /** Names without their prefix, in order. */
  get names(): string[] {
    return this.events.map(({ name }) => name.slice("unichannel:".length));
  }

  /** The events of one name. */
  of<Name extends EventName>(name: Name): DiagnosticsMessages[Name][] {
    return this.events.filter((event) => event.name === name) as unknown as DiagnosticsMessages[Name][];
  }
}

/** Everything that is published under these names from now on. */
export function listenTo(t: TestContext, names: readonly EventName[] = EVENT_NAMES): Heard {
  const onMessage = (message: unknown, name: string | symbol): void => {
    heard.events.push({ ...(message as object), name } as Event);
  };
  const heard = new Heard(() => {
    for (const name of names) unsubscribe(name, onMessage);
  });
  for (const name of names) subscribe(name, onMessage);
  t.after(heard.stop);
  return heard;
}
