// @ts-check
// Long polls on node:http, as one writes them: responses that wait in a set; a message as soon as all wait.
import { createServer } from "node:http";
import { ready } from "../lib/ready.js";

const POLLS = 1000;
const MESSAGE = Buffer.alloc(128, "unichannel ").toString("latin1");

/** @type {Set<import("node:http").ServerResponse>} */
const parked = new Set();
let id = 0;
const server = createServer((request, response) => {
  // Read as a real one would, to know what the client lacks.
  const since = new URLSearchParams(request.url?.slice(2)).get("since");
  if (since !== null && since !== "" && Number(since) < id) return answer(response);
  parked.add(response);
  response.on("close", () => parked.delete(response));
  if (parked.size === POLLS) setImmediate(publish);
});

function publish() {
  id += 1;
  const waiting = [...parked];
  parked.clear();
  for (const response of waiting) answer(response);
}

/** @param {import("node:http").ServerResponse} response */
function answer(response) {
  const body = `{"messages":[{"id":"${id}","data":"${MESSAGE}"}],"next":"${id}","reset":false}`;
  response.writeHead(200, {
    "Content-Type": "application/json; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
}

server.listen(0, "127.0.0.1", 1024, () => {
  ready(/** @type {import("node:net").AddressInfo} */ (server.address()).port, () => parked.size);
});
