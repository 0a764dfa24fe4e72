// @ts-check
// The echo server that an outside judge talks to: `npm run build && node conformance/server.js [port]`. Plain WebSockets on
// every path but those under /deflate, which compress as well: /deflate with the defaults, /deflate/context with context.
import { serve, withChannel } from "unichannel";

const MIB = 1 << 20;
const port = Number(process.argv[2] ?? 9001);

const server = await serve(
  (request) => {
    if (!request.isWebSocket) return "Here is a WebSocket echo.\n";
    const contextTakeover = request.path === "/deflate/context";
    const compress = request.path.startsWith("/deflate") && { contextTakeover, thresholdBytes: 0 };
    return withChannel(request, (channel) => channel.onMessage((message) => void channel.send(message)), { compress });
  },
  // As much as the largest cases of Autobahn|Testsuite (group 9) send, in as many fragments.
  { port, host: "127.0.0.1", maxMessageBytes: 64 * MIB, maxFragments: 1 << 20, maxBufferedBytes: 128 * MIB },
);
console.log(`echo on ws://127.0.0.1:${server.port}/, and on /deflate`);

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void server.stop());
