// @ts-check
// A chat over a session: the page stays connected over any transport that the network allows, and loses no line.
import { readFile } from "node:fs/promises";
import { createChannelStore, openSession, serve } from "unichannel";

const room = createChannelStore();
/** The folder of the client's modules: a page can load them without a bundler. */
const library = new URL("../", import.meta.resolve("unichannel/client"));

const page = `<!doctype html><meta charset="utf-8"><title>chat</title>
<output>connecting</output><ul></ul><form><input name="line" autofocus></form>
<script type="module">
  import { connect } from "/unichannel/client/index.js";
  const chat = connect("/chat");
  const say = (text) => document.querySelector("ul").append(Object.assign(document.createElement("li"), { textContent: text }));
  chat.onMessage(say);
  chat.onState((state) => document.querySelector("output").value = state);
  chat.onOpen(({ session }) => session === "lost" && say("– the server was away: some lines may be missing –"));
  document.forms[0].onsubmit = (event) => {
    event.preventDefault();
    chat.send(event.target.line.value);
    event.target.reset();
  };
</script>`;

const server = await serve(
  async (request) => {
    if (request.path === "/chat") {
      const open = room.addToGroup.bind(room, "chat");
      return openSession(request, { open, message: (line) => room.broadcast("chat", String(line)) });
    }
    const [, module] = /^\/unichannel\/([\w/-]+\.js)$/.exec(request.path) ?? [];
    if (module === undefined) return { headers: { "Content-Type": "text/html; charset=utf-8" }, body: page };
    return { headers: { "Content-Type": "text/javascript" }, body: await readFile(new URL(module, library)) };
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(`Open ${server.url} in two windows, and restart the server while they are open.
What a session looks like: curl -N -H "Accept: text/event-stream" ${server.url}/chat`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
