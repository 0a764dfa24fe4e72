// @ts-check
// HTTP for the generators that poll: one exchange after the other on one connection.
import { closedByServer, fail } from "./generator.js";
import { openSocket } from "./web-socket.js";

const HEAD_END = "\r\n\r\n";

/**
 * Passes the body of each answer to `onBody`.
 * @param {import("./web-socket.js").Where} where
 * @param {(body: string) => void} onBody
 * @returns {(method: "GET" | "POST", target: string, body?: string) => void} sends the next request
 */
export function exchanges(where, onBody) {
  let text = "";
  const socket = openSocket(where, (bytes) => {
    text += bytes.toString("latin1");
    const end = text.indexOf(HEAD_END);
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(text)?.[1]);
    const body = text.slice(end + HEAD_END.length);
    if (body.length < length) return;
    if (!text.startsWith("HTTP/1.1 200 ")) fail(new Error(text));
    text = "";
    onBody(body);
  });
  return (method, target, body = "") => {
    const length = method === "POST" ? `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n` : "";
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${length}\r\n${body}`);
  };
}

/**
 * One exchange on a connection of its own: a server may close one that is silent for seconds.
 * @param {import("./web-socket.js").Where} where
 * @param {"GET" | "POST"} method
 * @param {string} target
 * @returns {Promise<string>} the body
 */
export function exchangeOnce(where, method, target) {
  return new Promise((resolve) => {
    let isAnswered = false;
    const onClose = () => isAnswered || closedByServer();
    const ask = exchanges({ ...where, onClose }, (body) => {
      isAnswered = true;
      resolve(body);
    });
    ask(method, target);
  });
}
