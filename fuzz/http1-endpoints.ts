// The two servers of the comparison, and a client that shows how each parsed the same bytes. Both answer every request with
// its parsed form; refusals and the place where parsing stopped are visible on the wire.

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ChannelRequest, serve } from "../src/index.ts";
import { untilClosed } from "./connection.ts";

/** One request as a server parsed it. */
export interface Understood {
  readonly method: string;
  readonly target: string;
  /** Lower-case names with their values joined by ", " (`cookie`: "; "), sorted; latin1. */
  readonly fields: readonly (readonly [string, string])[];
  /** As latin1. */
  readonly body: string;
}

export interface Refused {
  readonly status: number;
  /** The message of our error, or the code of llhttp's error. */
  readonly reason: string;
}

/** One answer. The connection ends after the last of a list. */
export type Answer = Understood | Refused;

export interface Endpoint {
  readonly name: string;
  /** Sends these segments and the end; returns all answers. Rejects if the connection hangs. */
  send(segments: readonly string[]): Promise<Answer[]>;
  close(): Promise<void>;
}

/** The time limit for the answers before the last. */
const MAX_TURNS = 1000;

const ECHO = "X-Echo";

/** Our server. `errors` collects its reports: no client input may cause an error of the server. */
export async function ourEndpoint(errors: unknown[]): Promise<Endpoint> {
  const understand = async (request: ChannelRequest): Promise<object> => {
    // The client may already have ended its side.
    if (request.url.length % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    return echo(request, await request.bytes());
  };
  const server = await serve(
    // Some requests are answered at once, some later: parsing must not depend on it.
    (request) => {
      const hasBody = request.headers.has("content-length") || request.headers.has("transfer-encoding");
      return hasBody || request.url.length % 2 === 0 ? understand(request) : echo(request, new Uint8Array(0));
    },
    { port: 0, host: "127.0.0.1", onError: (error) => errors.push(error) },
  );
  return {
    name: "unichannel",
    send: async (segments) => (await converse(server.port, segments)).answers,
    close: () => server.stop({ graceMs: 0 }),
  };
}

function echo(request: ChannelRequest, body: Uint8Array): object {
  const understood: Understood = {
    method: request.method,
    target: request.url,
    fields: [...request.headers],
    body: Buffer.from(body).toString("latin1"),
  };
  return { status: 200, headers: { [ECHO]: encode(understood) }, body: null };
}

/** node:http with its defaults, except that it waits for a half-close. */
export async function nodeEndpoint(): Promise<Endpoint> {
  /** The last answer of a connection, by the port of its client: reported outside of the connection. */
  const last = new Map<number, Answer>();
  /** Answers that are being sent. */
  const open = new WeakMap<Socket, number>();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { socket } = request;
      open.set(socket, (open.get(socket) ?? 0) + 1);
      response.on("close", () => open.set(socket, open.get(socket)! - 1));
      response.writeHead(200, { [ECHO]: encode(understand(request, Buffer.concat(parts))), "Content-Length": 0 });
      response.end();
    });
    request.on("error", () => {});
  });
  const endWith = (socket: Socket, answer: Answer): void => {
    const { remotePort } = socket;
    if (remotePort === undefined || last.has(remotePort)) return;
    last.set(remotePort, answer);
    socket.resume();
    // After two turns, all complete requests have been emitted.
    let turns = 0;
    const end = (): void => {
      if (turns++ < 2 || (turns < MAX_TURNS && (open.get(socket) ?? 0) > 0)) setImmediate(end);
      else socket.end();
    };
    end();
  };
  // node:http answers these out of order, before complete requests. Without the listeners it would drop the
  // connection of a CONNECT, and never read the bytes after an Upgrade.
  const takeOver = (request: IncomingMessage, socket: Duplex): void => {
    endWith(socket as Socket, understand(request, Buffer.alloc(0)));
  };
  server.on("connect", takeOver);
  server.on("upgrade", takeOver);
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    endWith(socket as Socket, { status: 400, reason: String(error.code) });
  });
  Object.assign(server, { httpAllowHalfOpen: true, headersTimeout: 0, requestTimeout: 0 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    name: "node:http",
    send: async (segments) => {
      const { answers, localPort } = await converse(port, segments);
      const answer = last.get(localPort);
      last.delete(localPort);
      return answer === undefined ? answers : [...answers, answer];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function understand(request: IncomingMessage, body: Buffer): Understood {
  const values = new Map<string, string>();
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index]!.toLowerCase();
    const before = values.get(name);
    const value = request.rawHeaders[index + 1]!;
    values.set(name, before === undefined ? value : `${before}${name === "cookie" ? "; " : ", "}${value}`);
  }
  const fields = [...values].sort(([a], [b]) => (a < b ? -1 : 1));
  return { method: request.method!, target: request.url!, fields, body: body.toString("latin1") };
}

function encode(understood: Understood): string {
  return Buffer.from(JSON.stringify(understood)).toString("base64");
}

/** Sends the segments one by one, ends, and reads to the end. */
async function converse(port: number, segments: readonly string[]): Promise<{ answers: Answer[]; localPort: number }> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  const parts: Buffer[] = [];
  socket.on("data", (part) => parts.push(part));
  const closed = untilClosed(socket);
  await once(socket, "connect");
  const localPort = socket.localPort!;
  for (const segment of segments) {
    if (socket.writable) socket.write(segment, "latin1");
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await closed;
  return { answers: readAnswers(Buffer.concat(parts).toString("latin1")), localPort };
}

/** Every response must be well-formed: an answer that cannot be read is a failure, whatever the request was. */
function readAnswers(text: string): Answer[] {
  const answers: Answer[] = [];
  let rest = text;
  while (rest !== "") {
    const end = rest.indexOf("\r\n\r\n");
    const [statusLine = "", ...lines] = rest.slice(0, Math.max(end, 0)).split("\r\n");
    const status = Number(/^HTTP\/1\.1 ([1-5][0-9][0-9]) [ -~]*$/.exec(statusLine)?.[1]);
    if (end === -1 || !(status > 0)) throw new Error(`not a response: ${JSON.stringify(rest)}`);
    rest = rest.slice(end + 4);
    if (status === 100) continue;
    const fields = new Map<string, string>();
    for (const line of lines) {
      const [, name, value] = /^([A-Za-z-]+): ([\t -~\x80-\xff]*)$/.exec(line) ?? [];
      if (name === undefined) throw new Error(`not a field: ${JSON.stringify(line)}`);
      fields.set(name.toLowerCase(), value!);
    }
    const echoed = fields.get(ECHO.toLowerCase());
    const body = bodyOf(rest, fields);
    rest = rest.slice(body.length);
    if (echoed !== undefined) answers.push(decode(echoed));
    else answers.push({ status, reason: body.trim() });
  }
  return answers;
}

/** The body of a refusal, which a HEAD does not have; an echo has no reason. */
function bodyOf(rest: string, fields: ReadonlyMap<string, string>): string {
  if (rest.startsWith("HTTP/1.1 ")) return "";
  if (fields.has("transfer-encoding")) return /^0\r\n\r\n/.exec(rest)?.[0] ?? "";
  return rest.slice(0, Number(fields.get("content-length") ?? 0));
}

function decode(echoed: string): Understood {
  return JSON.parse(Buffer.from(echoed, "base64").toString()) as Understood;
}

export function isRefused(answer: Answer | undefined): answer is Refused {
  return answer !== undefined && "status" in answer;
}
