// @ts-check
// Runs a server in memory with silent WebSockets for some seconds of virtual time: `node inspected-seconds.js COUNT open|alone SECONDS`. With
// `open` a page of the inspector shows the list of channels; its client, in the same process, is part of the cost.
import { withChannel } from "../../dist/src/index.js";
import { inspector } from "../../dist/src/inspector.js";
import { testServer } from "../../dist/src/testing/index.js";

const [count = "0", mode = "", seconds = "0"] = process.argv.slice(2);
/** @type {import("../../dist/src/inspector.js").Inspector | undefined} */
let inspect;
const app = testServer((request) =>
  request.path === "/inspect/live" ? inspect?.(request) : withChannel(request, () => {}),
);
for (let i = 0; i < Number(count); i++) await app.websocket("/quotes");
if (mode === "open") {
  inspect = inspector(app.server, { authorize: () => true });
  const page = app.connect("/inspect/live");
  await page.opened;
  let updates = 0;
  page.onMessage(() => updates++);
  page.send(JSON.stringify({ tab: "channels", channels: { sort: "unsent" } }));
  await app.settle();
  if (updates === 0) throw new Error("the page is told nothing");
}
await app.advance(Number(seconds) * 1000);
process.exit();
