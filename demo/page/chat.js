// @ts-check
// The chat: a WebSocket that says which line it has, so that coming back misses nothing.

/** @typedef {{ id: number, name: string, text: string, via: "websocket" | "post" }} Line */

const RETRY_MS = 1000;

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const list = byId("lines");
const name = /** @type {HTMLInputElement} */ (byId("name"));
const text = /** @type {HTMLInputElement} */ (byId("text"));

/** What was said while there was no connection. @type {string[]} */
const unsent = [];
let since = 0;
/** @type {WebSocket} */
let socket;

function connect() {
  const query = new URLSearchParams({ since: String(since), name: name.value });
  const current = new WebSocket(`${location.origin.replace("http", "ws")}/chat?${query}`);
  socket = current;
  enter("connecting");
  current.onopen = () => {
    enter("open");
    sendAll();
  };
  current.onmessage = (message) => {
    for (const line of JSON.parse(message.data)) show(line);
  };
  current.onclose = () => {
    // Not when a change of name has opened another one.
    if (socket !== current) return;
    enter("retrying");
    setTimeout(connect, RETRY_MS);
  };
}

function sendAll() {
  while (unsent.length > 0 && socket.readyState === WebSocket.OPEN) socket.send(/** @type {string} */ (unsent.shift()));
}

/** Text nodes only: what somebody says is never markup. @param {Line} line */
function show({ id, name, text, via }) {
  since = id;
  const item = document.createElement("li");
  const who = document.createElement("b");
  const how = document.createElement("small");
  who.textContent = name;
  how.textContent = via === "post" ? "curl" : "browser";
  item.append(who, text, how);
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(item);
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

/** @param {"connecting" | "open" | "retrying"} state */
function enter(state) {
  byId("chat").dataset["state"] = state;
  byId("chat-state").textContent = state;
}

byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  unsent.push(text.value);
  text.value = "";
  sendAll();
});

// The name is part of the URL, so another name is another connection. It asks for what came in between.
name.addEventListener("change", () => {
  const old = socket;
  connect();
  old.close();
});

name.value = `guest ${1 + Math.floor(Math.random() * 99)}`;
byId("curl-wait").textContent = `curl '${location.origin}/chat'`;
byId("curl-poll").textContent = `curl '${location.origin}/chat?since=0'`;
byId("curl-stay").textContent = `curl -N -H 'Accept: text/event-stream' '${location.origin}/chat?since=0'`;
byId("curl-post").textContent = `curl -d 'hello from curl' '${location.origin}/chat?name=ann'`;
connect();
