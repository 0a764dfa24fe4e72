// @ts-check
// A login in a cookie that scripts cannot read: an encrypted JWT, made with jose. A session ends with it, or when the user logs out.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { EncryptJWT, jwtDecrypt } from "jose";
import { openSession, serve } from "unichannel";

const LIFE_S = Number(process.env["LIFE_S"] ?? 30); // short, so that you can watch: an hour is usual
const key = randomBytes(32);
const library = new URL("../", import.meta.resolve("unichannel/client"));
/** The channels of all users, so that a logout ends those of one. @type {Set<import("unichannel").Channel>} */
const channels = new Set();

/** @param {string} user */
async function cookieFor(user) {
  const token = new EncryptJWT().setProtectedHeader({ alg: "dir", enc: "A256GCM" }).setSubject(user);
  // With https also `Secure`, and the name `__Host-login`.
  return `login=${await token.setExpirationTime(`${LIFE_S}s`).encrypt(key)}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${LIFE_S}`;
}

/**
 * The user of a request, and the date at which the login ends; undefined without a login.
 * @param {import("unichannel").ChannelRequest} request
 */
async function userOf(request) {
  const [, token = ""] = /(?:^|; )login=([^;]+)/.exec(request.headers.get("cookie") ?? "") ?? [];
  const { payload } = await jwtDecrypt(token, key).catch(() => ({ payload: undefined }));
  return payload && { identity: String(payload.sub), expiresAt: Number(payload.exp) * 1000 };
}

/** @type {import("unichannel").SessionHandlers} */
const handlers = {
  open(channel) {
    channels.add(channel);
    channel.send("hello ann");
  },
  close: (_, channel) => void channels.delete(channel),
};

const page = `<!doctype html><meta charset="utf-8"><title>login</title><button>log out</button><pre></pre>
<script type="module">
  import { connect } from "/unichannel/client/index.js";
  let renewAt = 0;
  const post = (path) => fetch(path, { method: "POST" });
  const say = (text) => document.querySelector("pre").append(new Date().toLocaleTimeString() + " " + text + "\\n");
  // Asked before each request. It adds no parameter: the browser sends the cookie, and here it gets a new one.
  async function params() {
    if (Date.now() >= renewAt && (await post("/renew")).ok) renewAt = Date.now() + ${750 * LIFE_S};
    return {};
  }
  await post("/login");
  const live = connect("/live", { params });
  live.onMessage(say);
  live.onClose(({ code, reason }) => say("closed: " + code + " " + reason));
  document.querySelector("button").onclick = () => post("/logout");
</script>`;

const server = await serve(
  async (request) => {
    const user = await userOf(request);
    const { path, method } = request;
    // Stands for a form with a password.
    if (path === "/login" && method === "POST")
      return { status: 204, headers: { "Set-Cookie": await cookieFor("ann") } };
    if (["/live", "/renew", "/logout"].includes(path) && user === undefined)
      return { status: 401, body: "log in first\n" };
    if (path === "/renew" && user) return { status: 204, headers: { "Set-Cookie": await cookieFor(user.identity) } };
    if (path === "/logout" && user) {
      for (const channel of channels) if (channel.attachment === user.identity) channel.expiresAt = Date.now();
      return { status: 204, headers: { "Set-Cookie": "login=; Path=/; Max-Age=0" } };
    }
    if (path === "/live" && user) return openSession(request, handlers, { ...user, attachment: user.identity });
    const [, module] = /^\/unichannel\/([\w/-]+\.js)$/.exec(path) ?? [];
    if (module === undefined) return { headers: { "Content-Type": "text/html; charset=utf-8" }, body: page };
    return { headers: { "Content-Type": "text/javascript" }, body: await readFile(new URL(module, library)) };
  },
  { host: "127.0.0.1", port: Number(process.env["PORT"] ?? 9090) },
);
console.log(`Open ${server.url}. A login: curl -i -X POST ${server.url}/login`);
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => server.stop().then(() => process.exit()));
