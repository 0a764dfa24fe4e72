// @ts-check
import { connect } from "unichannel/client";

const connection = connect("/live?user=ann&as=session");
connection.onMessage((message) => {
  const output = document.querySelector("output");
  if (output) output.value = String(message);
});
connection.send("hello");
