// @ts-check
// The growth of cost with the size of a message: each point of a curve is a row.
import { workRow } from "../lib/row.js";
import { withAddon } from "./ws-echo.js";

const SIZES = [32, 256, 1024, 4096, 16_384, 65_536];
/** The size from which ws is compared with its addon, too. */
const ADDON_FROM = 16_384;
/** The sizes of a run without `--full`. */
const BRIEF_SIZES = [32, 1024, 65_536];

export const growth = SIZES.map((messageBytes) => ({
  ...workRow({
    name: `ws-echo-size-${messageBytes}`,
    title: `echo of ${messageBytes.toLocaleString("en-US")} bytes, 16 connections, 4 messages in flight on each`,
    peers: {
      ...{ unichannel: "ws-unichannel.js", ws: "ws-ws.js", "uWebSockets.js": "ws-uws.js" },
      ...(messageBytes >= ADDON_FROM ? withAddon : {}),
    },
    load: "ws-echo.js",
    brief: ["unichannel", "ws"],
    ...(BRIEF_SIZES.includes(messageBytes) ? {} : { rank: /** @type {const} */ ("extra") }),
    config: { connections: 16, inFlight: 4, messageBytes, binary: true },
  }),
  isPoint: true,
  curve: {
    name: "ws-echo-size",
    title: "echo by message size, 16 connections, 4 in flight",
    x: messageBytes,
    unit: "bytes",
  },
}));
