// @ts-check
// A session whose client shows a JWT: it ends with the token, unless the client renews it in time, and it does. jose checks the token.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { jwtVerify, SignJWT } from "jose";
import { openSession, serve } from "unichannel";

/** Short, so that you can watch renewals. Ten minutes are usual. */
const LIFE_S = Number(process.env["LIFE_S"] ?? 30);
const key = randomBytes(32);
const library = new URL("../", import.meta.resolve("unichannel/client"));

/** Stands for your login, or the token endpoint of your identity provider. */
const issue = () =>
  new SignJWT().setProtectedHeader({ alg: "HS256" }).setSubject("ann").setExpirationTime(`${LIFE_S}s`).sign(key);

/**
 * The user of a request, and the date at which the token ends; undefined if it shows no good token.
 * @param {import("unichannel").ChannelRequest} request
 */
async function userOf(request) {
  // A page cannot give headers to a WebSocket: there the token is in the query. Keep it out of your access logs.
  const [, bearer] = /^Bearer (.+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  const token = bearer ?? request.query.get("token") ?? "";
  // `algorithms` is not optional in practice, and neither are `issuer` and `audience` with an identity provider.
  const options = { algorithms: ["HS256"], requiredClaims: ["sub", "exp"] };
  const { payload } = await jwtVerify(token, key, options).catch(() => ({ payload: undefined }));
  return payload && { identity: String(payload.sub), expiresAt: Number(payload.exp) * 1000 };
}

/** @type {import("unichannel").SessionHandlers} */
const handlers = {
  open: (channel) => channel.send(`hello ${channel.attachment}`),
  resumed: (channel) => channel.send(`good until ${new Date(channel.expiresAt ?? 0).toISOString()}`),
  message: (message, channel) => channel.send(message),
};

const page = `<!doctype html><meta charset="utf-8"><title>jwt</title><pre></pre>
<script type="module">
  import { connect } from "/unichannel/client/index.js";
  const say = (text) => document.querySelector("pre").append(new Date().toLocaleTimeString() + " " + text + "\\n");
  let token, renewAt = 0;
  // Asked before each request. The token is renewed after three quarters of its life; the client asks after 80 to 90 %.
  async function params() {
    if (Date.now() < renewAt) return { token };
    const answer = await (await fetch("/token", { method: "POST" })).json();
    ({ token } = answer);
    renewAt = Date.now() + 750 * answer.expiresInS;
    return { token };
  }
  const live = connect("/live", { params });
  live.onMessage(say);
  live.onClose(({ code, reason }) => say("closed: " + code + " " + reason));
</script>`;

const server = await serve(
  async (request) => {
    if (request.path === "/token" && request.method === "POST")
      return {
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: await issue(), expiresInS: LIFE_S }),
      };
    if (request.path === "/live") {
      const user = await userOf(request);
      if (user === undefined) return { status: 401, headers: { "WWW-Authenticate": "Bearer" }, body: "show a token\n" };
      return openSession(request, handlers, { ...user, attachment: user.identity });
    }
    const [, module] = /^\/unichannel\/([\w/-]+\.js)$/.exec(request.path) ?? [];
    if (module === undefined) return { headers: { "Content-Type": "text/html; charset=utf-8" }, body: page };
    return { headers: { "Content-Type": "text/javascript" }, body: await readFile(new URL(module, library)) };
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);

console.log(`Open ${server.url} and watch its token being renewed. A token: curl -X POST ${server.url}/token`);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
