// A dashboard of event streams on better-sse and node:http: a channel for each panel.
import { createServer } from "node:http";
import { createChannel, createSession } from "better-sse";
import { dashboard, watchOf } from "../lib/dashboard.js";
import { ready } from "../lib/ready.js";

const panels = new Map();
const { control } = dashboard((group, message) => panelOf(group).broadcast(JSON.stringify(message), "update"));
const server = createServer(async (request, response) => {
  const answer = control(request.url);
  if (answer !== undefined) return response.end(answer);
  // A message is made JSON once, not for each session.
  const session = await createSession(request, response, { serializer: (json) => json });
  panelOf(watchOf(request.url).group).register(session);
});
server.listen(0, "127.0.0.1", 1024, () => ready(server.address().port));

function panelOf(group) {
  const panel = panels.get(group) ?? createChannel();
  panels.set(group, panel);
  return panel;
}
