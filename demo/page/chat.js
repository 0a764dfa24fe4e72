// @ts-check
// The chat: the lines of the room, and lines of this page that the server does not have yet.

import { connection, listen, say } from "./conversation.js";

const MAX_SHOWN = 200;

/** Names for the transport that brought a line to the server. */
const WAYS = { websocket: "websocket", sse: "event stream", poll: "poll", post: "curl" };

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const list = byId("lines");
const name = /** @type {HTMLInputElement} */ (byId("name"));
const text = /** @type {HTMLInputElement} */ (byId("text"));

/** Lines of this page that the server does not have yet; they stay below all others. @type {Map<number, HTMLElement>} */
const unheard = new Map();

listen({
  line: ({ name, text, via }) => show(makeItem(name, text, WAYS[via])),
  sent: ({ n, text }) => {
    if (text === undefined) return;
    const item = makeItem(name.value.trim() || "guest", text, "on the way");
    item.className = "waiting";
    unheard.set(n, item);
    show(item);
  },
  // The line itself has arrived just before.
  heard: ({ n }) => {
    unheard.get(n)?.remove();
    unheard.delete(n);
  },
});

/** Uses text nodes only: a line is never markup. @param {string} name @param {string} text @param {string} way */
function makeItem(name, text, way) {
  const item = document.createElement("li");
  const who = document.createElement("b");
  const how = document.createElement("small");
  who.textContent = name;
  how.textContent = way;
  item.append(who, text, how);
  return item;
}

/** @param {HTMLElement} item */
function show(item) {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.insertBefore(item, item.className === "waiting" ? null : list.querySelector(".waiting"));
  if (list.children.length > MAX_SHOWN) list.firstElementChild?.remove();
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

connection.onState((state) => {
  byId("chat").dataset["state"] = state;
  byId("chat-state").textContent = state;
});

byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  say({ name: name.value, text: text.value });
  text.value = "";
});

name.value = `guest ${1 + Math.floor(Math.random() * 99)}`;
byId("curl-wait").textContent = `curl '${location.origin}/chat'`;
byId("curl-poll").textContent = `curl '${location.origin}/chat?since=0'`;
byId("curl-stay").textContent = `curl -N -H 'Accept: text/event-stream' '${location.origin}/chat?since=0'`;
byId("curl-post").textContent = `curl -d 'hello from curl' '${location.origin}/chat?name=ann'`;
