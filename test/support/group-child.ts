// A process with a store over a broker, for tests that kill it. Each line of its input is a command: "join GROUP N" adds N members
// that are present, "leave GROUP N" removes N of them, "close" closes the store. It prints what its hooks
// are told, and "done" after each command.

import { createInterface } from "node:readline";
import { createChannelStore } from "../../src/index.ts";
import { BROKER_KITS, type BrokerName, USUAL } from "./broker-kits.ts";
import { MemoryChannel } from "./memory-channel.ts";

export interface GroupChildOrder {
  readonly broker: BrokerName;
  readonly port: number;
  readonly name: string;
  readonly aliveMs: number;
}

const { broker, port, name, aliveMs } = JSON.parse(process.argv[2]!) as GroupChildOrder;
const onError = (): void => {};
const { backplane } = await BROKER_KITS[broker].open(port, { ...USUAL, aliveMs });
const store = createChannelStore({
  backplane,
  counts: true,
  onGroupStart: (group) => console.log(`told start ${group}`),
  onGroupEnd: (group) => console.log(`told end ${group}`),
  onError,
});
const members = new Map<string, MemoryChannel[]>();
let count = 0;

for await (const line of createInterface({ input: process.stdin })) {
  const [command = "", group = "", number = "1"] = line.split(" ");
  const own = members.get(group) ?? [];
  members.set(group, own);
  for (let i = 0; i < Number(number); i++) {
    if (command === "join") {
      const member = new MemoryChannel();
      own.push(member);
      store.addToGroup(group, member.channel, undefined, { presence: `${name} ${(count += 1)}` });
    } else if (command === "leave") own.shift()?.leave();
  }
  if (command === "close") await store.close();
  console.log("done");
}
process.exit(0);
