// @ts-check
// Replaces one of three processes every few seconds, for two minutes, while clients on all carriers talk to the service. Every
// message has a number, in both directions, and every number is checked:
//     npm run example:rolling-deploy            two minutes
//     npm run example:rolling-deploy -- 20      twenty seconds
import { setTimeout as delay } from "node:timers/promises";
import { Load } from "./load.js";
import { isInstalled } from "./programs.js";
import { Service } from "./service.js";

const SECONDS = Number(process.argv[2] ?? 120);
const DEPLOYS = Number(process.env["DEPLOYS"] ?? Infinity);
const CLIENTS = Number(process.env["CLIENTS"] ?? 30);
const PAUSE_MS = Number(process.env["PAUSE_MS"] ?? 2000);

if (!isInstalled("redis-server", "--version") || !isInstalled("nginx", "-v")) {
  console.error(
    "Redis or nginx is missing. Debian: apt-get install redis-server nginx; macOS: brew install redis nginx",
  );
  process.exit(1);
}

const service = new Service();
const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stopping.abort());

try {
  await service.start(Number(process.env["PORT"] ?? 9090), Number(process.env["BROKER_PORT"] ?? 0));
  console.log(`Three processes at ${service.url}, in turn. Listen to a room: curl -N '${service.url}/listen?room=1'`);

  const load = new Load(service.url, CLIENTS);
  await load.begin();
  console.log(`${CLIENTS} clients talk over WebSocket, event streams and polls`);

  const endsAt = Date.now() + SECONDS * 1000;
  let deploys = 0;
  while (Date.now() < endsAt && deploys < DEPLOYS) {
    await delay(PAUSE_MS, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) break;
    const replaced = await service.replace(deploys++);
    const { messages, lost, doubled } = load.count();
    console.log(`deploy ${deploys}: ${replaced}; ${messages} messages, lost: ${lost}, doubled: ${doubled}`);
  }

  await load.end();
  const { messages, lost, doubled, lostSessions, longestPauseMs } = load.count();
  const missing = lost + load.missing;
  await load.close();
  console.log(`
deploys: ${deploys}, messages: ${messages}, lost: ${missing}, doubled: ${doubled}, sessions lost: ${lostSessions}
longest pause of a client: ${(longestPauseMs / 1000).toFixed(1)} s`);
  if (missing + doubled + lostSessions > 0) process.exitCode = 1;
} finally {
  await service.stop();
}
