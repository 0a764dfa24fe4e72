// @ts-check
// A process that looks at an inspector as an open page does: `node inspector-page.js URL`, forked by the server that is inspected. It
// tells its parent when it has had an answer, and ends with it.
import { WebSocket } from "ws";
import { connect } from "../../dist/src/client/index.js";

const [url = ""] = process.argv.slice(2);
const connection = connect(url, { WebSocket: /** @type {any} */ (WebSocket) });
connection.onMessage((message) => {
  if (String(message).includes('"update"')) process.send?.("open");
});
// The list of channels is the view that costs most.
connection.send(JSON.stringify({ tab: "channels", channels: { text: "/", sort: "unsent" } }));
process.on("disconnect", () => process.exit());
