// @ts-check
// The answer of a language model for any number of viewers: one that comes late, or reloads its page, gets all of it, and anybody may
// cancel it. With a backplane the same holds for several processes.
import { setTimeout as sleep } from "node:timers/promises";
import { createChannelStore, serve, withChannel } from "unichannel";

const ANSWER = "A channel is one conversation with one client, whatever carries it.";

/** Stands for a model. @param {string} question @param {AbortSignal} signal */
async function* tokens(question, signal) {
  for (const token of `“${question}” – ${ANSWER}`.match(/\s*\S+/g) ?? []) {
    await sleep(100, undefined, { signal });
    yield token;
  }
}

const store = createChannelStore();

const server = await serve(
  async (request) => {
    if (request.method === "DELETE") return { status: (await store.stopStream("answer")) ? 204 : 404, body: null };
    if (request.method !== "POST") {
      const since = request.lastEventId ?? "";
      return withChannel(request, (channel) => store.addToGroup("answer", channel, undefined, { since }));
    }
    const question = await request.text();
    const published = store.publishStream("answer", (signal) => tokens(question, signal), { info: { question } });
    void published.then(({ end }) => console.log(`${question} ${end}`));
    return { status: 202, body: null };
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(
  `Watch: curl -N -H 'Accept: text/event-stream' ${server.url}/` +
    ` – ask: curl -d 'Why?' ${server.url}/ – cancel: curl -X DELETE ${server.url}/`,
);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
