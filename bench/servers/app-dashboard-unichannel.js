// @ts-check
// A dashboard on unichannel, for WebSockets, event streams and long polls: a group for each panel.
import { createChannelStore, pollGroup, withChannel } from "../../dist/src/index.js";
import { dashboard } from "../lib/dashboard.js";
import { listening } from "../lib/listening.js";
import { ready } from "../lib/ready.js";

const store = createChannelStore();
const { control } = dashboard((group, message) => void store.publish(group, message));
const server = await listening((request) => {
  const group = request.query.get("group") ?? "";
  if (request.path === "/live") return withChannel(request, (channel) => store.addToGroup(group, channel));
  if (request.path === "/poll") return pollGroup(request, store, group);
  return control(request.path) ?? { status: 404 };
});
ready(server.port);
