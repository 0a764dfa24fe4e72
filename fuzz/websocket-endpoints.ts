// Two echo servers, ours and ws, and a client that sends arbitrary bytes after its handshake and returns the answers.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { constants, inflateRawSync } from "node:zlib";
import { serve, withChannel } from "../src/index.ts";
import { untilClosed } from "./connection.ts";
import { MAX_MESSAGE_BYTES, type WsPorts } from "./ws-server.ts";

export interface Endpoint {
  readonly name: string;
  /** Does the handshake, sends the segments, then ends. Returns the answers: `text …`, `binary …`, `pong …`, `close …`; undefined if the server crashed. */
  send(segments: readonly Buffer[], compressed: boolean, attempt: number): Promise<string[] | undefined>;
  close(): Promise<void>;
}

/** Number of attempts for a case that meets the end of the other process, which it or another case has caused. */
const ATTEMPTS = 3;
const EXIT_MS = 20;
/** Time to wait for answers that a broken frame may have swallowed; doubled at each further attempt. */
const SWALLOWED_MS = 300;

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const EXTENSION = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
/** A ping, which a server that still reads answers with a pong. */
export const SENTINEL: Buffer = Buffer.concat([Buffer.from("8988", "hex"), Buffer.alloc(4), Buffer.from("sentinel")]);

export async function ourEndpoint(errors: unknown[]): Promise<Endpoint> {
  const server = await serve(
    (request) =>
      withChannel(request, (channel) => channel.onMessage((message) => void channel.send(message)), {
        compress: request.path === "/deflate",
      }),
    {
      port: 0,
      host: "127.0.0.1",
      maxMessageBytes: MAX_MESSAGE_BYTES,
      maxFragments: 100_000,
      onError: (error) => errors.push(error),
    },
  );
  return {
    name: "unichannel",
    send: (segments, compressed, attempt) => converse(server.port, compressed, segments, attempt),
    close: () => server.stop({ graceMs: 0 }),
  };
}

/** ws runs in a process of its own: some frames end it (ws 8.23.0), and it is started again. */
export async function wsEndpoint(): Promise<Endpoint> {
  let server = startWs();
  return {
    name: "ws",
    send: async (segments, compressed, attempt) => {
      for (let start = 0; start < ATTEMPTS; start++) {
        const before = server;
        const { plain, deflate } = await before.ports;
        const result = await converse(compressed ? deflate : plain, compressed, segments, attempt).catch(
          (error: unknown) => error,
        );
        // The end of the process may be reported after the end of its connections.
        if (Array.isArray(result) && result.at(-1)?.startsWith("close")) return result;
        await new Promise((resolve) => setTimeout(resolve, EXIT_MS));
        if (before.child.exitCode !== null) {
          if (server === before) server = startWs();
        } else if (Array.isArray(result)) return result;
        else throw result;
      }
      return undefined;
    },
    close: async () => {
      const exit = once(server.child, "exit");
      server.child.kill();
      await exit;
    },
  };
}

interface WsProcess {
  readonly child: ChildProcess;
  readonly ports: Promise<WsPorts>;
}

function startWs(): WsProcess {
  const child = fork(new URL("./ws-server.js", import.meta.url), { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  return { child, ports: once(child, "message").then(([ports]) => ports as WsPorts) };
}

async function converse(
  port: number,
  compressed: boolean,
  segments: readonly Buffer[],
  attempt: number,
): Promise<string[]> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  let received: Buffer = Buffer.alloc(0);
  let onProgress = (): void => {};
  socket.on("data", (part) => {
    received = Buffer.concat([received, part]);
    onProgress();
  });
  const closed = untilClosed(socket);
  socket.on("close", () => onProgress());
  const handshake =
    `GET /${compressed ? "deflate" : ""} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
    `${compressed ? `Sec-WebSocket-Extensions: ${EXTENSION}\r\n` : ""}\r\n`;
  socket.write(handshake);
  for (const segment of segments) {
    if (socket.writable) socket.write(segment);
    await new Promise((resolve) => setImmediate(resolve));
  }
  // ws inflates outside of the loop and drops unprocessed data when the client ends.
  if (compressed && socket.writable) {
    socket.write(SENTINEL);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SWALLOWED_MS * 2 ** (attempt - 1));
      onProgress = () => {
        if (!socket.destroyed && !socket.readableEnded && !/sentinel|closes/.test(lastOf(received))) return;
        clearTimeout(timer);
        resolve();
      };
      socket.on("end", () => onProgress());
      onProgress();
    });
  }
  socket.end();
  await closed;
  return readEvents(received, compressed);
}

/** The last complete event; cheap enough for the data of a test. */
function lastOf(received: Buffer): string {
  const events = received.includes("\r\n\r\n") ? readEvents(received, true) : [];
  return events.at(-1)?.replace(/^close /, "closes ") ?? "";
}

function readEvents(received: Buffer, compressed: boolean): string[] {
  const end = received.indexOf("\r\n\r\n");
  const head = received.toString("latin1", 0, end);
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(`no handshake: ${JSON.stringify(head)}`);
  if (!head.includes(`Sec-WebSocket-Accept: ${ACCEPT}`)) throw new Error("wrong accept");
  if (head.includes("permessage-deflate") !== compressed) throw new Error("compression is not as asked");
  return readFrames(received.subarray(end + 4));
}

const NAMES: Readonly<Record<number, string>> = { 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };

/** Decodes a server's frames: complete, unmasked, unfragmented, in the shortest form; anything else is a failure. */
function readFrames(bytes: Buffer): string[] {
  const events: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at);
    const name = NAMES[first & 0x0f];
    if (name === undefined || (first & 0xb0) !== 0x80 || second > 127)
      throw new Error(`bad frame: ${first}, ${second}`);
    const size = second < 126 ? 2 : second === 126 ? 4 : 10;
    if (bytes.length < at + size) return events;
    const length = size === 2 ? second : size === 4 ? bytes.readUInt16BE(at + 2) : bytes.readUInt32BE(at + 6);
    if (length < (size === 4 ? 126 : size === 10 ? 65_536 : 0)) throw new Error(`length ${length} in ${size} bytes`);
    // The end of the connection has cut the frame.
    if (bytes.length < at + size + length) return events;
    let payload: Buffer = bytes.subarray(at + size, at + size + length);
    if ((first & 0x40) !== 0) payload = inflate(payload);
    if (events.at(-1)?.startsWith("close")) throw new Error("a frame behind the close frame");
    events.push(
      `${name} ${name === "close" ? closeCode(payload) : payload.toString(name === "text" ? "utf8" : "latin1")}`,
    );
    at += size + length;
  }
  return events;
}

function closeCode(payload: Buffer): string {
  return payload.length === 0 ? "1005" : String(payload.readUInt16BE(0));
}

function inflate(payload: Buffer): Buffer {
  const tail = Buffer.from("0000ffff", "hex");
  return inflateRawSync(Buffer.concat([payload, tail]), { finishFlush: constants.Z_SYNC_FLUSH });
}
