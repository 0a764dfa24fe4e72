// The server under attack, in a process of its own so that its memory is its own and a crash is seen. It tells its port,
// and answers each question with what it did and what it holds.

import { readFileSync, writeFileSync } from "node:fs";
import {
  type Channel,
  type ChannelRequest,
  type CloseStatus,
  event,
  type HandlerResult,
  type Message,
  openChannel,
  type ServeOptions,
  type ServerStats,
  serve,
  withChannel,
} from "../../src/index.ts";

export interface Facts {
  /** In bytes, behind a full collection: what lives on the heap and beside it, and what the process takes. */
  readonly heapBytes: number;
  readonly rssBytes: number;
  /** The most that it took since the attack began. */
  readonly peakBytes: number;
  readonly stats: ServerStats;
  /** How often a channel or request ended how: "/echo abnormal": 3. */
  readonly ended: Readonly<Record<string, number>>;
  /** Reported errors: "connection: …". */
  readonly reports: readonly string[];
  /** Resources that keep the event loop alive. */
  readonly resources: number;
}

/** Length of a body that is far more than any buffer on its way. */
const BIG_BYTES = 64 << 20;
const PART = Buffer.alloc(65_536, "x");
const TICK_MS = 5;

const ended = new Map<string, number>();
const reports: string[] = [];
const polls = new Map<string, number>();

function count(what: string): void {
  ended.set(what, (ended.get(what) ?? 0) + 1);
}

async function* big(): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < BIG_BYTES; sent += PART.length) yield PART;
}

function ticks(channel: Channel): void {
  let tick = 0;
  const timer = setInterval(() => {
    if (!channel.send(event({ id: String(++tick), data: `tick ${tick}` }))) clearInterval(timer);
  }, TICK_MS);
}

/** The next number of this client: what is lost or doubled on the way shows. */
function poll(request: ChannelRequest, channel: Channel): void {
  const client = request.query.get("client") ?? "";
  setTimeout(() => {
    const next = (polls.get(client) ?? 0) + 1;
    if (channel.send(String(next))) polls.set(client, next);
  }, TICK_MS);
}

function counter(): (message: Message, channel: Channel) => void {
  let messages = 0;
  let bytes = 0;
  return (message, channel) => {
    if (message === "total") channel.send(`${messages} ${bytes}`);
    else {
      messages += 1;
      bytes += message.length;
    }
  };
}

function handle(request: ChannelRequest): HandlerResult | Promise<HandlerResult> {
  const { path } = request;
  const close = (status: CloseStatus): void => count(`${path} ${status.name}`);
  const compress = path.startsWith("/deflate");
  switch (path) {
    case "/echo":
    case "/deflate":
      return openChannel(request, { message: (message, channel) => void channel.send(message), close }, { compress });
    case "/count":
    case "/deflate-count":
      return openChannel(request, { message: counter(), close }, { compress });
    case "/close":
      return openChannel(request, { open: (channel) => channel.close(4000, "enough"), close });
    case "/events":
      return openChannel(request, { open: ticks, close });
    case "/parked":
      return openChannel(request, { close });
    case "/poll":
      return withChannel(request, (channel) => poll(request, channel));
    case "/body":
      return request.bytes().then(
        (body) => `${body.length}`,
        (error: unknown) => {
          count(`${path} ${(error as { code?: string }).code}`);
          throw error;
        },
      );
    case "/hang":
      return new Promise((resolve) => {
        request.signal.addEventListener("abort", () => {
          count(`${path} aborted`);
          resolve("late");
        });
      });
    case "/big":
      return { body: big() };
    case "/whole":
      return { body: PART };
    default:
      return "ok";
  }
}

/** Linux can forget the peak (proc(5), clear_refs); elsewhere it is that of the process's whole life. */
function forgetPeak(): void {
  if (process.platform === "linux") writeFileSync("/proc/self/clear_refs", "5");
}

function peak(): number {
  const status = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS) * 1024;
}

const gc = globalThis.gc;
if (process.send !== undefined && gc !== undefined) {
  const options = JSON.parse(process.argv[2] ?? "{}") as ServeOptions;
  const server = await serve(handle, {
    port: 0,
    host: "127.0.0.1",
    onError: (error, { source }) => reports.push(`${source}: ${error instanceof Error ? error.message : error}`),
    ...options,
  });
  process.on("message", (question) => {
    gc();
    if (question === "begin") forgetPeak();
    const { heapUsed, external, rss } = process.memoryUsage();
    const facts: Facts = {
      heapBytes: heapUsed + external,
      rssBytes: rss,
      peakBytes: peak(),
      stats: server.stats(),
      ended: Object.fromEntries(ended),
      reports,
      resources: process.getActiveResourcesInfo().length,
    };
    process.send!(facts);
  });
  process.on("disconnect", () => process.exit());
  process.send(server.port);
}
