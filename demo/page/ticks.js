// @ts-check
// Four cards, four ways to read the same URL. Each way below is all that a client needs.

/**
 * @typedef {object} Card
 * @property {() => void} opened The server has answered.
 * @property {(lines: string) => void} received Ticks, one line of JSON each.
 * @property {() => void} ended The connection was lost.
 * @property {() => number} last The id of the last tick; Infinity before the first: new ticks only.
 */

/** Starts to read; returns how to stop. @typedef {(card: Card) => () => void} Way */

/** A client that comes back asks for what it has missed: a server was replaced. @param {number} last */
const ticksAfter = (last) => (last === Infinity ? "/ticks" : `/ticks?since=${last}`);

/** @type {Way} */
function webSocket({ opened, received, ended, last }) {
  const socket = new WebSocket(location.origin.replace("http", "ws") + ticksAfter(last()));
  socket.onopen = opened;
  socket.onmessage = (message) => received(message.data);
  socket.onclose = ended;
  return () => socket.close();
}

/** @type {Way} */
function eventSource({ opened, received, ended, last }) {
  const source = new EventSource(ticksAfter(last()));
  source.onopen = opened;
  source.onmessage = (message) => received(message.data);
  source.onerror = () => {
    // An EventSource reconnects by itself, with Last-Event-ID. Here the card does it, as for the other ways.
    source.close();
    ended();
  };
  return () => source.close();
}

/** @type {Way} */
function streamingFetch({ opened, received, ended, last }) {
  const abort = new AbortController();
  const read = async () => {
    const response = await fetch(ticksAfter(last()), { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(response.statusText);
    opened();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      // A chunk may end in the middle of a line.
      const end = (rest += value).lastIndexOf("\n") + 1;
      if (end > 0) received(rest.slice(0, end));
      rest = rest.slice(end);
    }
  };
  read()
    .catch(() => {})
    .finally(ended);
  return () => abort.abort();
}

/** @type {Way} */
function longPoll({ opened, received, ended, last }) {
  const abort = new AbortController();
  const read = async () => {
    for (;;) {
      // Answered at once with the ticks after the last one seen, or with the next tick when it comes.
      const response = await fetch(`/ticks?after=${last()}`, { signal: abort.signal });
      if (!response.ok) throw new Error(response.statusText);
      opened();
      received(await response.text());
    }
  };
  read().catch(ended);
  return () => abort.abort();
}

/** @type {{ name: string, call: string, way: Way }[]} */
const WAYS = [
  { name: "WebSocket", call: 'new WebSocket("/ticks")', way: webSocket },
  { name: "EventSource", call: 'new EventSource("/ticks")', way: eventSource },
  { name: "Streaming", call: 'fetch("/ticks")', way: streamingFetch },
  { name: "Long poll", call: 'fetch("/ticks?after=n")', way: longPoll },
];

const RETRY_MS = 1000;
const SHOWN = 5;

/** @param {{ name: string, call: string, way: Way }} how */
function makeCard({ name, call, way }) {
  const template = /** @type {HTMLTemplateElement} */ (document.getElementById("card"));
  const root = /** @type {HTMLElement} */ (template.content.firstElementChild?.cloneNode(true));
  /** @param {string} selector */
  const part = (selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
  const list = part(".ticks");
  const button = part("button");
  part(".name").textContent = name;
  part(".call").textContent = call;
  root.setAttribute("aria-label", name);
  root.dataset["way"] = name;

  let count = 0;
  let lost = 0;
  let last = Infinity;
  /** @type {(() => void) | undefined} */
  let stopReading;

  /** @param {"connecting" | "open" | "retrying" | "stopped"} state */
  const enter = (state) => {
    root.dataset["state"] = state;
    part(".state").textContent = state;
    button.textContent = state === "stopped" ? "Start" : "Stop";
    button.setAttribute("aria-label", `${button.textContent} ${name}`);
  };

  /** @param {{ id: number, at: number }} tick */
  const show = ({ id, at }) => {
    count += 1;
    // After a restart of the server the numbers begin again.
    if (id > last) lost += id - last - 1;
    last = id;
    const ms = Math.max(0, Date.now() - at);
    const latency = ms < 1 ? "< 1 ms" : `${ms} ms`;
    const item = document.createElement("li");
    const time = document.createElement("span");
    time.textContent = latency;
    item.append(`#${id}`, time);
    list.prepend(item);
    if (list.children.length > SHOWN) list.lastElementChild?.remove();
    part(".count").textContent = String(count);
    part(".lost").textContent = String(lost);
    part(".latency").textContent = latency;
  };

  const start = () => {
    enter("connecting");
    let isCurrent = true;
    const stop = way({
      opened: () => isCurrent && enter("open"),
      received: (lines) => {
        if (isCurrent) for (const line of lines.trim().split("\n")) show(JSON.parse(line));
      },
      ended: () => {
        if (!isCurrent) return;
        enter("retrying");
        const timer = setTimeout(start, RETRY_MS);
        stopReading = () => clearTimeout(timer);
      },
      last: () => last,
    });
    stopReading = () => {
      isCurrent = false;
      stop();
    };
  };

  const stop = () => {
    stopReading?.();
    stopReading = undefined;
    last = Infinity;
    enter("stopped");
  };

  button.onclick = () => {
    isPaused = false;
    if (stopReading === undefined) start();
    else stop();
  };
  // Browsers allow one origin six HTTP/1.1 connections for all tabs together: cards that are not visible use none.
  let isOnScreen = false;
  let isPaused = true;
  const look = () => {
    const isSeen = isOnScreen && !document.hidden;
    if (!isSeen && stopReading !== undefined) {
      isPaused = true;
      stop();
    } else if (isSeen && isPaused) {
      isPaused = false;
      start();
    }
  };
  document.addEventListener("visibilitychange", look);
  new IntersectionObserver((entries) => {
    isOnScreen = entries.at(-1)?.isIntersecting ?? false;
    look();
  }).observe(root);
  enter("stopped");
  return root;
}

document.getElementById("cards")?.append(...WAYS.map(makeCard));
