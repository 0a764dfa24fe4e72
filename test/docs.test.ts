// The documents and the source agree.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { TRANSPORTS } from "../src/client/options.ts";
import * as unichannel from "../src/index.ts";
import { LIMITS } from "../src/server/options.ts";
import { FRESH } from "./support/fresh-stats.ts";
import { LACKS } from "./support/runtime.ts";

const read = (path: string): string => readFileSync(path, "utf8");

describe("the documentation", () => {
  it("has a heading for every error code, and no other", () => {
    const union = /export type ErrorCode =([^;]+);/.exec(read("src/base/channel-error.ts"))![1]!;
    const codes = [...union.matchAll(/"([A-Z_]+)"/g)].map(([, code]) => code);
    const headings = [...read("docs/reference/errors.md").matchAll(/^### ([A-Z_]+)$/gm)].map(([, code]) => code);
    assert.deepEqual([...headings].sort(), [...codes].sort());
  });

  it("has the same status and close code for each error as the table", () => {
    const text = read("docs/reference/errors.md");
    const sections = text.split(/^### /m).slice(1);
    for (const section of sections) {
      const code = section.slice(0, section.indexOf("\n")) as unichannel.ErrorCode;
      const error = new unichannel.ChannelError(code);
      if (error.status !== undefined) assert.match(section, new RegExp(`\\n${error.status}\\b`), code);
      if (code.startsWith("BAD_F") || code === "BAD_UTF8")
        assert.match(section, new RegExp(`${error.closeCode}`), code);
    }
  });

  it("lists every limit in SECURITY.md and every option of serve in the reference", () => {
    const security = read("SECURITY.md");
    const server = read("docs/reference/server.md");
    for (const name of Object.keys(LIMITS)) {
      assert.match(security, new RegExp(`\\| \`${name}\` *\\|`), name);
      assert.match(server, new RegExp(`\`${name}\``), name);
    }
    const options = bodyOf("ServeOptions");
    for (const [, name] of options.matchAll(/readonly (\w+)\?/g)) assert.match(server, new RegExp(`\`${name}\``), name);
  });

  it("lists every channel option and every member of the channel in the reference", () => {
    const channel = read("docs/reference/channel.md");
    const options = bodyOf("ChannelOptions");
    for (const [, name] of options.matchAll(/readonly (\w+)\?/g))
      assert.match(channel, new RegExp(`\`${name}\``), name);
    const members = bodyOf("Channel");
    for (const [, name] of members.matchAll(/^ {2}(?:readonly )?(\w+)[(:]/gm)) {
      assert.match(channel, new RegExp(`\`${name}[(\`]`), name);
    }
  });

  it("lists every transport where transports are listed", () => {
    for (const kind of Object.keys(FRESH.channels)) {
      for (const page of ["glossary.md", "reference/channel.md", "reference/types.md"])
        assert.ok(read(`docs/${page}`).includes(`\`"${kind}"\``), `docs/${page} lists "${kind}"`);
      assert.match(read("docs/reference/metrics.md"), new RegExp(`open channels: .*\`${kind}\``));
    }
  });

  it("has every carrier in the protocol, the reference of the client and the types", () => {
    const protocol = read("PROTOCOL.md")
      .split("## ")
      .find((section) => section.startsWith("Carriers\n"))!;
    for (const kind of TRANSPORTS) {
      assert.match(protocol, new RegExp(`^\\| \`${kind}\` \\|`, "m"), "PROTOCOL.md, Carriers");
      for (const page of ["client.md", "types.md"])
        assert.ok(read(`docs/reference/${page}`).includes(`\`"${kind}"\``), `docs/reference/${page} lists "${kind}"`);
    }
  });

  it("explains every capability that a row of the contract may need", () => {
    const text = read("CONTRIBUTING.md");
    const [, capabilities = ""] = /interface Capabilities \{([\s\S]*?)\n\}/.exec(
      read("test/contract/conversation.ts"),
    )!;
    for (const [, name] of capabilities.matchAll(/readonly (\w+): boolean/g)) {
      if (name !== "closesAfterSend") assert.match(text, new RegExp(`^- \`${name}\`: `, "m"));
    }
  });

  it("lists every option and handler of a session in the reference", () => {
    const session = read("docs/reference/session.md");
    const options = bodyOf("SessionOptions");
    for (const [, name] of options.matchAll(/readonly (\w+)\?/g))
      assert.match(session, new RegExp(`\\| \`${name}\``), name);
    const handlers = bodyOf("SessionHandlers");
    for (const [, name] of handlers.matchAll(/^ {2}(\w+)\?/gm)) assert.match(session, new RegExp(`\`${name}\\(`), name);
  });

  it("has a test for every § of PROTOCOL.md, and no other", () => {
    const numbers = (text: string): string[] =>
      [...new Set([...text.matchAll(/§(\d+)(?=[):, ])/g)].map(([, n]) => n!))].sort();
    const suite = [...read("test/conformance/session.ts").matchAll(/it\(\s*[`"](§[^:]*:)/g)]
      .map(([, name]) => name)
      .join("");
    assert.deepEqual(numbers(suite), numbers(read("PROTOCOL.md").replace(/RFC \d+\s+§[\d.]+|HTML §[\d.]+/g, "")));
  });

  it("has a row for everything that a runtime lacks, with its reason", () => {
    const hosts = read("docs/reference/hosts.md");
    for (const [capability, { bun = "", deno = "" }] of Object.entries(LACKS)) {
      assert.ok(hosts.includes(`| ${capability} | ${bun} | ${deno} |`), capability);
    }
  });

  it("has no link to a file that is not there", () => {
    for (const file of markdownFiles(".")) {
      const links = [...read(file).matchAll(/\]\((?!https?:)([^)#\s]+)(#[^)]*)?\)/g)];
      for (const [, link] of links) {
        const target = normalize(join(dirname(file), link!));
        assert.doesNotThrow(() => readdirSync(dirname(target)) && readFileOrFolder(target), `${file}: ${link}`);
      }
    }
  });

  it("keeps ARCHITECTURE.md to 170 lines, with a line for each folder of src and no file that does not exist", () => {
    const text = read("ARCHITECTURE.md");
    assert.ok(text.replace(/^!\[.*\n\n/gm, "").split("\n").length <= 171, "pictures are not counted");
    const map = text.slice(text.indexOf("## Code map"), text.indexOf("## Where do I find"));
    const named = new Set<string>();
    for (const line of map.split("\n").filter((row) => row.startsWith("| `src"))) {
      const [, folder = "", , files = ""] = line.split("|").map((cell) => cell.trim().replace(/^`(src[^`]*)`$/, "$1"));
      named.add(folder);
      for (const [, name] of files.matchAll(/`([\w-]+)`/g)) read(`${folder}/${name}.ts`);
    }
    const sources = (readdirSync("src", { recursive: true }) as string[]).filter((name) => /\/[^/]+\.ts$/.test(name));
    const folders = new Set(sources.map((name) => `src/${name.slice(0, name.lastIndexOf("/"))}`));
    assert.deepEqual([...named].sort(), [...folders].sort());
    for (const [, file] of text.matchAll(/`((?:src\/)?[a-z][\w/-]*\/[\w.-]+\.ts)`/g)) {
      assert.ok(existsSync(file!) || existsSync(`src/${file}`), `ARCHITECTURE.md names ${file}`);
    }
  });
});

/** The body of an exported interface, in whichever file of src it is declared. */
function bodyOf(name: string): string {
  const declaration = new RegExp(`export interface ${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`);
  const files = (readdirSync("src", { recursive: true }) as string[]).filter((file) => file.endsWith(".ts"));
  const bodies = files.flatMap((file) => declaration.exec(read(join("src", file)))?.[1] ?? []);
  assert.equal(bodies.length, 1, `one file declares ${name}`);
  return bodies[0]!;
}

function readFileOrFolder(path: string): void {
  try {
    readFileSync(path);
  } catch {
    readdirSync(path);
  }
}

function markdownFiles(folder: string): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "dist" || entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) found.push(...markdownFiles(path));
    else if (entry.name.endsWith(".md")) found.push(path);
  }
  return found;
}
