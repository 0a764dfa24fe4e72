// @ts-check
// Takes the starter of each framework, does what its guide says, and uses all transports: `node scripts/test-starters.js`.
//   NAME …            these frameworks alone
//   --from=NAME:DIR   this copy of a starter in place of the commands that make one, where its source cannot be reached
//   --write           writes the table of examples/frameworks/starters.md
// The package is packed as npm would publish it. Not in CI: starters change every day, and download some 1 GB.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { edited, stepsOf } from "./lib/guide-steps.js";
import * as checks from "./lib/starter-checks.js";

const START_MS = 180_000;

/**
 * @typedef {object} Starter
 * @property {string} name of the guide
 * @property {string} heading of its section
 * @property {string} maker the package that makes the starter
 * @property {string[]} packages whose versions are in the table
 * @property {string} [portOption] added to the last command, where the variable PORT is not read
 * @property {(url: string) => Promise<void>} [hotReload]
 */

/** @type {Starter[]} */
const STARTERS = [
  { name: "express", heading: "In the starter", maker: "express-generator", packages: ["express"] },
  { name: "fastify", heading: "In the starter", maker: "fastify-cli", packages: ["fastify"] },
  { name: "koa", heading: "From an empty folder", maker: "–", packages: ["koa"] },
  { name: "hono", heading: "In the starter", maker: "create-hono", packages: ["hono", "@hono/node-server"] },
  { name: "nestjs", heading: "In the starter", maker: "@nestjs/cli", packages: ["@nestjs/core"] },
  {
    name: "next",
    heading: "In the starter",
    maker: "create-next-app",
    packages: ["next"],
    hotReload: checks.hotReloadOfNext,
  },
  {
    name: "vite",
    heading: "In the starter",
    maker: "create-vite",
    packages: ["vite"],
    portOption: "-- --strictPort --port",
    hotReload: checks.hotReloadOfVite,
  },
];

/** @type {[title: string, check: (url: string, starter: Starter) => Promise<void> | undefined][]} */
const CHECKS = [
  ["its page", (url) => checks.page(url)],
  ["session over a WebSocket", (url) => checks.session(url, "websocket")],
  ["session over an event stream", (url) => checks.session(url, "sse")],
  ["session over polls", (url) => checks.session(url, "poll")],
  ["WebSocket", (url) => checks.webSocket(url)],
  ["event stream", (url) => checks.eventStream(url)],
  ["stream", (url) => checks.plainStream(url)],
  ["a WebSocket without a route is refused", (url) => checks.noRoute(url)],
  ["hot module replacement beside ours", (url, { hotReload }) => hotReload?.(url)],
];

const args = process.argv.slice(2);
const wanted = args.filter((arg) => !arg.startsWith("--"));
const copies = new Map(
  args
    .filter((arg) => arg.startsWith("--from="))
    .map((arg) => {
      const [name = "", folder = ""] = arg.slice("--from=".length).split(":");
      return [name, folder];
    }),
);
const folder = mkdtempSync(join(tmpdir(), "unichannel-starters-"));
const env = {
  ...process.env,
  NODE_ENV: undefined,
  CI: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  npm_config_yes: "true",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
};

const packed = spawnSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder], {
  encoding: "utf8",
});
if (packed.status !== 0) throw new Error(packed.stderr);
const tarball = join(folder, packed.stdout.trim());

/** @type {Map<Starter, { versions: string[], found: (string | undefined)[] }>} */
const results = new Map();
for (const starter of STARTERS) {
  if (wanted.length > 0 && !wanted.includes(starter.name)) continue;
  console.log(`\n${starter.name}`);
  try {
    results.set(starter, await tryStarter(starter));
  } catch (error) {
    console.log(`  failed: ${error instanceof Error ? error.message : error}`);
    results.set(starter, { versions: [], found: CHECKS.map(() => "not tried") });
  }
}
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
if (args.includes("--write")) writeFileSync("examples/frameworks/starters.md", report());
const isBad = [...results.values()].some(({ found }) => found.some((one) => one !== undefined && one !== "yes"));
process.exit(isBad ? 1 : 0);

/** @param {Starter} starter */
async function tryStarter(starter) {
  const guide = readFileSync(`docs/how-to/${starter.name}.md`, "utf8");
  const { prepare, edits, start } = stepsOf(guide, starter.heading);
  const parent = join(folder, starter.name);
  const app = join(parent, "my-app");
  mkdirSync(parent);
  const copy = copies.get(starter.name);
  let cwd = parent;
  for (const command of prepare) {
    if (cwd === parent && copy !== undefined) {
      if (!existsSync(app)) cpSync(copy, app, { recursive: true });
      if (command.startsWith("cd ")) {
        cwd = app;
        run("npm install", cwd);
      }
    } else if (command === "cd my-app") cwd = app;
    else run(command.replace(/^(npm install .*)\bunichannel$/, `$1${tarball}`), cwd);
  }
  for (const edit of edits) {
    const path = join(app, edit.file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, edited(existsSync(path) ? readFileSync(path, "utf8") : undefined, edit));
  }
  for (const command of start.slice(0, -1)) run(command, app);
  const versions = starter.packages.map((name) => `${name} ${versionOf(join(app, "node_modules", name))}`);
  const found = await use(starter, app, start.at(-1) ?? "");
  return { versions, found };
}

/** Starts the application, and runs all checks. @param {Starter} starter @param {string} app @param {string} command */
async function use(starter, app, command) {
  const port = await freePort();
  const line = starter.portOption === undefined ? command : `${command} ${starter.portOption} ${port}`;
  console.log(`  ${line}`);
  // A process group of its own, so that what npm starts ends with it.
  const child = spawn(line, {
    cwd: app,
    env: { ...env, PORT: String(port) },
    shell: true,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const url = `http://localhost:${port}`;
  /** @type {(string | undefined)[]} */
  const found = [];
  try {
    const deadline = Date.now() + START_MS;
    while (!(await answers(url))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`it does not start:\n${output}`);
    }
    for (const [title, check] of CHECKS) {
      const checking = check(url, starter);
      const outcome = await checking?.then(
        () => "yes",
        (error) => String(error.message).split("\n", 1)[0],
      );
      found.push(checking === undefined ? undefined : outcome);
      if (checking !== undefined) console.log(`  ${title}: ${outcome}`);
    }
    if (found.some((one) => one !== undefined && one !== "yes")) console.log(output);
  } finally {
    if (child.pid !== undefined && child.exitCode === null) {
      const closed = once(child, "close");
      process.kill(-child.pid, "SIGKILL");
      await closed;
    }
  }
  return found;
}

/** @param {string} url */
async function answers(url) {
  try {
    return (await fetch(url)).status < 500;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return false;
  }
}

/** @param {string} command @param {string} cwd */
function run(command, cwd) {
  console.log(`  ${command.replaceAll(tarball, "unichannel")}`);
  const { status, stdout, stderr } = spawnSync(command, {
    cwd,
    env: /** @type {NodeJS.ProcessEnv} */ (env),
    shell: true,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`${command}:\n${stdout}${stderr}`);
}

/** @param {string} path */
function versionOf(path) {
  return JSON.parse(readFileSync(join(path, "package.json"), "utf8")).version;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  return port;
}

function report() {
  const starters = [...results];
  const rows = CHECKS.map(([title], index) => [title, ...starters.map(([, { found }]) => found[index] ?? "–")]);
  const lines = [
    ["", ...starters.map(([{ name }]) => `[${name}](../../docs/how-to/${name}.md)`)],
    ["---", ...starters.map(() => "---")],
    ["starter", ...starters.map(([{ maker }]) => maker)],
    ["versions", ...starters.map(([, { versions }]) => versions.join(", "))],
    ...rows,
  ];
  return `# Starters

The starter of each framework, made anew, with the lines of its guide and the packed package, used over all transports.
Written by \`node scripts/test-starters.js --write\` on ${new Date().toISOString().slice(0, 10)}, with Node ${process.versions.node}.

${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}
`;
}
