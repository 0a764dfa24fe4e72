// @ts-check
// A body that is made while it is sent, like the answer of a language model: an async generator. It is read at the client's
// pace, and stopped when the client leaves, so that no tokens are made in vain.
import { setTimeout as sleep } from "node:timers/promises";
import { serve } from "unichannel";

const ANSWER = "A channel is one conversation with one client, whatever carries it.";

/** Stands for a model. @param {string} question */
async function* tokens(question) {
  let made = 0;
  try {
    for (const token of `“${question}” – ${ANSWER}`.match(/\s*\S+/g) ?? []) {
      await sleep(100);
      made += 1;
      yield token;
    }
    yield "\n";
  } finally {
    console.log(`made ${made} tokens`);
  }
}

const server = await serve(
  (request) => ({
    headers: { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" },
    body: tokens(request.query.get("q") ?? "What is a channel?"),
  }),
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(`Ask: curl -N '${server.url}/?q=Why?' – and leave early with Ctrl-C: it stops making tokens`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
