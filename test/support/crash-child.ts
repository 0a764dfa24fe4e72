// A process of a service that is killed: sessions that any process may be asked for, groups over a broker, and messages that it
// sends directly, with numbers. It says its port, and then nothing more.

import { createChannelStore, openSession, serve } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName, USUAL } from "./broker-kits.ts";

export interface CrashOrder {
  readonly broker: BrokerName;
  readonly port: number;
  readonly groups: readonly string[];
}

const { broker, port, groups } = JSON.parse(process.argv[2]!) as CrashOrder;
const kit = BROKER_KITS[broker];
const onError = (): void => {};
const { backplane } = await kit.open(port, USUAL);
const { sessions } = await kit.openSessions(port, { timeoutMs: 5000 });
const store = createChannelStore({ backplane, history: { size: 100_000, ttlMs: 600_000 }, onError });

const server = await serve(
  (request) => {
    let hasLost = false;
    return openSession(request, {
      lost() {
        hasLost = true;
      },
      open(channel) {
        channel.send(`open ${hasLost}`);
        const [first, ...others] = groups;
        store.addToGroup(first!, channel);
        // The application may need a while until it knows the other groups of a client.
        const late = setTimeout(() => {
          for (const group of others) store.addToGroup(group, channel);
        }, 30);
        let number = 0;
        const direct = setInterval(() => channel.send(`direct ${number++}`), 25);
        channel.onClose(() => {
          clearTimeout(late);
          clearInterval(direct);
        });
      },
      message: (message, channel) => void channel.send(`echo ${message}`),
    });
  },
  { port: 0, sessions, onError },
);
console.log(server.port);
