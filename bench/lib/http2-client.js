// @ts-check
// The client's side of HTTP/2, for the generators: connections of node:http2 that trust any certificate.
import { connect } from "node:http2";
import { closedByServer, fail } from "./generator.js";

/** @param {number} port @returns {Promise<import("node:http2").ClientHttp2Session>} */
export function openHttp2(port) {
  return new Promise((resolve) => {
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
    session.on("error", fail);
    session.on("close", closedByServer);
    session.once("remoteSettings", () => resolve(session));
  });
}
