// Broken bytes into a live server, while clients that behave talk to it: each of their numbered messages is answered, and
// in order. The input of one client must never reach another client, delay it without end, or lose its messages.

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import WebSocket from "ws";
import { json, type Server, serve, withChannel } from "../src/index.ts";
import { caseSeed, Findings, type FuzzOptions, type FuzzReport, runCases } from "./cases.ts";
import { mutatedPipeline, segments } from "./http1-requests.ts";
import { Random } from "./random.ts";
import { reset } from "./reset.ts";
import { frameStream } from "./websocket-frames.ts";

/** Simultaneous broken connections. */
const PARALLEL = 8;
/** The time limit for an answer to a correct client, on a busy machine. */
const ANSWER_MS = 60_000;

const HANDSHAKE =
  "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const findings = new Findings();
  const server = await startServer(findings);
  let isOver = false;
  const neighbours = [talkWebSocket, talkHttp, talkStream].map((talk) =>
    talk(server, () => isOver)
      .then((answered) => findings.count(`${talk.name}: answered`, answered))
      .catch((error: unknown) => findings.fail(`${talk.name}: ${String(error)}`)),
  );
  const ran = await runCases(options, findings, PARALLEL, async (index) => {
    const random = new Random(caseSeed(options.seed, index));
    await disturb(server.port, random).catch((error: unknown) => findings.fail(`case ${index}: ${String(error)}`));
  });
  isOver = true;
  await Promise.all(neighbours);
  await checkStop(server, findings);
  return findings.report(ran);
}

function startServer(findings: Findings): Promise<Server> {
  return serve(
    (request) => {
      if (request.path === "/echo") {
        return withChannel(request, (channel) => channel.onMessage((message) => void channel.send(message)));
      }
      if (request.path === "/stream") {
        return withChannel(request, (channel) => void ticks(channel));
      }
      return request.path === "/json"
        ? request.json().then((value) => json(value))
        : request.bytes().then((body) => ({ body }));
    },
    {
      port: 0,
      host: "127.0.0.1",
      maxMessageBytes: 100_000,
      // Clients cause these two; any other error is a fault of the server.
      onError: (error) => {
        if (!/BAD_REQUEST|CLIENT_GONE/.test(String((error as { code?: unknown }).code))) {
          findings.fail(`the server reported ${String(error)}`);
        }
      },
    },
  );
}

interface Sink {
  send(data: string, closeAfterSend?: boolean): boolean;
  readonly isOpen: boolean;
}

async function ticks(channel: Sink): Promise<void> {
  for (let tick = 0; channel.isOpen && tick < 1_000_000; tick++) {
    if (!channel.send(`${tick}\n`, false)) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** One broken connection, from its first byte until the server has ended it; sometimes the client leaves first. */
async function disturb(port: number, random: Random): Promise<void> {
  const kind = random.below(4);
  const parts: (string | Buffer)[] =
    kind === 0
      ? [HANDSHAKE, ...frameStream(random, false)]
      : kind === 1
        ? [noise(random)]
        : segments(mutatedPipeline(random), random);
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  // Some clients never read.
  if (random.chance(0.8)) socket.resume();
  const closed = withinTime("the end of a broken connection", once(socket, "close"));
  await once(socket, "connect").catch(() => {});
  for (const part of parts) {
    if (socket.writable) socket.write(part, "latin1");
    if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
  }
  leave(socket, random);
  await closed;
}

function leave(socket: Socket, random: Random): void {
  const how = random.below(4);
  if (how === 0) socket.destroy();
  else if (how === 1) reset(socket);
  else {
    socket.end();
    socket.resume();
  }
}

function noise(random: Random): Buffer {
  return Buffer.from(Array.from({ length: 1 + random.below(300) }, () => random.below(256)));
}

async function talkWebSocket({ port }: Server, isOver: () => boolean): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
  const failed = once(socket, "close").then(([code]) => Promise.reject(new Error(`closed with ${String(code)}`)));
  failed.catch(() => {});
  await withinTime("the handshake", Promise.race([once(socket, "open"), failed]));
  let answered = 0;
  let onAnswer = (): void => {};
  socket.on("message", (data) => {
    if (String(data) !== `message ${answered}`) socket.close(4000, `got ${String(data)} for ${answered}`.slice(0, 100));
    answered++;
    onAnswer();
  });
  for (let sent = 0; !isOver(); ) {
    // Sends bursts, so that several messages share one read and one write.
    for (const end = sent + 5; sent < end; sent++) socket.send(`message ${sent}`);
    const all = new Promise<void>((resolve) => {
      onAnswer = () => answered === sent && resolve();
      onAnswer();
    });
    await withinTime(`the answer to message ${answered}`, Promise.race([all, failed]));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  socket.close(1000);
  const [code] = (await withinTime("the close", once(socket, "close"))) as [number];
  if (code !== 1000) throw new Error(`closed with ${code}`);
  return answered;
}

async function talkHttp({ port }: Server, isOver: () => boolean): Promise<number> {
  let answered = 0;
  for (; !isOver(); answered++) {
    const response = await fetch(`http://127.0.0.1:${port}/json`, {
      method: "POST",
      body: JSON.stringify({ answered }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const body = await response.text();
    if (response.status !== 200 || body !== `{"answered":${answered}}`) {
      throw new Error(`request ${answered} was answered ${response.status} ${body}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return answered;
}

async function talkStream({ port }: Server, isOver: () => boolean): Promise<number> {
  const abort = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/stream`, { signal: abort.signal });
  let text = "";
  let next = 0;
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  while (!isOver()) {
    const { done, value } = await withinTime(`tick ${next}`, reader.read());
    if (done) throw new Error(`the stream ended behind ${next} ticks`);
    const lines = (text + value).split("\n");
    text = lines.pop()!;
    for (const line of lines) if (line !== String(next++)) throw new Error(`tick ${line} in place of ${next - 1}`);
  }
  abort.abort();
  return next;
}

/** Checks that nothing is left over. */
async function checkStop(server: Server, findings: Findings): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  await withinTime("the stop", server.stop({ graceMs: 1000 }));
  const { connections, channels } = server.stats();
  const left = connections + channels.websocket + channels.sse + channels.stream;
  if (left > 0) findings.fail(`${left} connections and channels are left`);
}

function withinTime<T>(what: string, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what} did not come`)), ANSWER_MS);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
