// The house's walls: which file may import what, and what the compiler of the inner layers does not know.
// The table is the one of ARCHITECTURE.md; a new folder under src/ needs a line in it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

interface Layer {
  /** The folders under src/ whose files it may import. */
  readonly imports: readonly string[];
  /** The modules of Node that it may import; "any" for all. */
  readonly node: readonly string[] | "any";
}

/** Lowest first: a file imports its own layer and those below it. */
const TOWER = [
  "base",
  "codec",
  "protocol",
  "transport",
  "channel",
  "request",
  "session",
  "group",
  "server",
  "hosts",
] as const;

/** No sockets, files or servers below the server; no Node at all where there is no I/O. */
const NODE: Record<(typeof TOWER)[number], Layer["node"]> = {
  base: [],
  codec: [],
  protocol: [],
  transport: ["node:crypto", "node:zlib"],
  channel: ["node:crypto"],
  request: ["node:crypto"],
  session: ["node:crypto"],
  group: ["node:crypto"],
  server: "any",
  hosts: "any",
};

const LAYERS: ReadonlyMap<string, Layer> = new Map<string, Layer>([
  ...TOWER.map((name, height): [string, Layer] => {
    const below: readonly string[] = TOWER.slice(0, height + 1);
    const backplane = height >= TOWER.indexOf("group") ? ["backplane"] : [];
    const machine = height >= TOWER.indexOf("server") ? ["machine"] : [];
    return [name, { imports: [...below, ...backplane, ...machine], node: NODE[name] }];
  }),
  // Beside the tower: a backplane knows bytes and groups' names, and nothing of channels.
  ["backplane", { imports: ["base", "backplane"], node: ["node:crypto"] }],
  // Beside the tower: it runs in browsers. Of a session both ends run the same state machine (docs/decisions/0010).
  ["client", { imports: ["base", "codec", "protocol", "client"], node: [] }],
  // Above the tower: it looks at a server. Its page runs in browsers.
  ["inspector", { imports: [...TOWER, "client", "inspector"], node: "any" }],
  // Beside the tower: what several processes on one machine need of it.
  ["machine", { imports: ["base", "machine"], node: "any" }],
  // Beside the tower: it starts processes, and has the sockets between them.
  ["processes", { imports: ["base", "backplane", "machine", "processes"], node: "any" }],
  // Above all: it has a server and its clients in one process.
  ["testing", { imports: [...TOWER, "backplane", "client", "testing"], node: "any" }],
]);

/** Longer files are split, or begin with the reason why not. */
const EXPECTED_LINES = 300;
const MAX_LINES = 600;
const DEFENCE = "// Long because";

/** Above the seam: what carries a channel changes nothing in these layers. */
const ABOVE_THE_SEAM = ["channel", "request", "session", "group"];

const MAY_COMPARE_KINDS: ReadonlyMap<string, string> = new Map([
  ["channel/public-channel.ts", "the contract has `isWebSocket`; a channel of another make has no other facts"],
  ["session/open-session.ts", "it chooses the carrier that a request becomes, by the name in its query"],
  ["session/current-carrier.ts", "it has a carrier of each kind in turn, and says on each what that can carry"],
  ["session/liveness.ts", "the time limits of a poll differ from those of other carriers"],
]);

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const sources: ReadonlyMap<string, string> = new Map(
  readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name): [string, string] => [name, readFileSync(join(ROOT, "src", name), "utf8")]),
);

describe("the layers", () => {
  it("import their own layer and those below it, and no more of Node than they may", () => {
    assert.deepEqual(complaints(importComplaints), []);
  });

  it("have no circle of imports: each file can be read after those that it imports, types included", () => {
    assert.deepEqual(circles(new Map([...sources].map(([file, source]) => [file, importedFiles(file, source)]))), []);
  });

  it("have a circle where three files import one another in turn", () => {
    const imports = new Map([
      ["a", ["b"]],
      ["b", ["c", "d"]],
      ["c", ["a"]],
      ["d", []],
    ]);
    assert.deepEqual(circles(imports), [["a", "b", "c"]]);
  });

  it("are all in the table", () => {
    const folders = new Set([...sources.keys()].map(layerName).filter((name) => name !== ""));
    assert.deepEqual(
      [...folders].filter((name) => !LAYERS.has(name)),
      [],
    );
  });

  const refused: readonly [why: string, file: string, source: string][] = [
    ["a codec that imports a protocol", "codec/a.ts", 'import { b } from "../protocol/b.ts";'],
    ["a type taken from a layer above", "protocol/a.ts", 'import type { B } from "../channel/b.ts";'],
    ["a re-export from a layer above", "base/a.ts", 'export {\n  b,\n} from "../codec/b.ts";'],
    ["an import for its effect", "channel/a.ts", 'import "../server/b.ts";'],
    ["an import in the middle of code", "codec/a.ts", '  const b = await import("../server/b.ts");'],
    ["an import whose target is computed", "server/a.ts", "  const b = await import(name);"],
    ["Node in base", "base/a.ts", 'import { performance } from "node:perf_hooks";'],
    ["Node without its prefix", "channel/a.ts", 'import { connect } from "net";'],
    ["compression in a protocol", "protocol/a.ts", 'import { gzipSync } from "node:zlib";'],
    ["a socket in a transport", "transport/a.ts", 'import type { Socket } from "node:net";'],
    ["Node in the browser's client", "client/a.ts", 'import { createHash } from "node:crypto";'],
    ["a transport in the client", "client/a.ts", 'import { b } from "../transport/b.ts";'],
    ["the client in the server", "server/a.ts", 'import { b } from "../client/b.ts";'],
    ["what is for tests in the server", "server/a.ts", 'import { b } from "../testing/b.ts";'],
    ["a package", "server/a.ts", 'import { WebSocket } from "ws";'],
    ["a request in a channel", "channel/a.ts", 'import type { B } from "../request/b.ts";'],
    ["a session in a request", "request/a.ts", 'import type { B } from "../session/b.ts";'],
    ["a socket in a backplane", "backplane/processes/a.ts", 'import { connect } from "node:net";'],
    ["a server in what starts processes", "processes/a.ts", 'import { serve } from "../server/serve.ts";'],
    ["a channel in a backplane", "backplane/redis/a.ts", 'import type { B } from "../../channel/b.ts";'],
    ["the public entry", "server/a.ts", 'import { serve } from "../index.ts";'],
    ["a file outside src", "server/a.ts", 'import { b } from "../../test/b.ts";'],
  ];
  for (const [why, file, source] of refused) {
    it(`refuse ${why}`, () => {
      assert.equal(importComplaints(file, source).length, 1);
    });
  }

  const allowed: readonly [why: string, file: string, source: string][] = [
    ["a neighbour", "codec/a.ts", 'import { b } from "./b.ts";'],
    ["the layer below", "protocol/a.ts", 'import { b } from "../codec/b.ts";'],
    ["a backplane in a group", "group/stream/a.ts", 'import { b } from "../../backplane/b.ts";'],
    ["a protocol in the client", "client/a.ts", 'import { b } from "../protocol/b.ts";'],
    ["hashes in a transport", "transport/a.ts", 'import { createHash } from "node:crypto";'],
    ["compression in a transport", "transport/a.ts", 'import { gzipSync } from "node:zlib";'],
    ["sockets in the server", "server/a.ts", 'import { createServer } from "node:net";'],
    ["server and client in what is for tests", "testing/a.ts", 'import { b } from "../client/b.ts";'],
    [
      "sockets and a backplane in what starts processes",
      "processes/a.ts",
      'import { b } from "../backplane/processes/b.ts";',
    ],
    ["anything in the entry", "index.ts", 'export { serve } from "./server/serve.ts";'],
    ["imports that a comment speaks of", "base/a.ts", '// import("../server/b.ts") would be wrong\n/** import(x) */'],
  ];
  for (const [why, file, source] of allowed) {
    it(`allow ${why}`, () => {
      assert.deepEqual(importComplaints(file, source), []);
    });
  }
});

describe("the kinds of transport", () => {
  it("are not compared above the seam: what differs between transports is a verb or a fact of Transport", () => {
    assert.deepEqual(complaints(kindComplaints), []);
  });

  it("may still be compared in each file that is allowed to", () => {
    const idle = [...MAY_COMPARE_KINDS.keys()].filter((file) => comparisons(sources.get(file) ?? "").length === 0);
    assert.deepEqual(idle, []);
  });

  for (const source of [
    'if (channel.transport === "http") close();',
    'if (this.#transport.kind !== "sse") return;',
    "if (transport.isSession) return;",
    "if (channel.isWebSocket) return;",
    "switch (carrier.kind) {",
  ]) {
    it(`are compared by ${source}`, () => {
      assert.equal(kindComplaints("group/a.ts", source).length, 1);
    });
  }

  for (const source of [
    "channels[channel.transport] += 1;",
    "if (request.isWebSocket) acceptWebSocket(request);",
    "get isWebSocket(): boolean;",
    'if (transport.messageForm === "event") return;',
  ]) {
    it(`are not compared by ${source}`, () => {
      assert.deepEqual(kindComplaints("group/a.ts", source), []);
    });
  }
});

describe("the sources", () => {
  it("stay on Node's public API", () => {
    assert.deepEqual(
      complaints((file, source) => mentions(file, source, /\b_handle\b|process\.binding/g)),
      [],
    );
  });

  it("take time and chance through the door in codecs and protocols", () => {
    assert.deepEqual(
      complaints((file, source) =>
        sansIo(file) ? mentions(file, source, /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b/g) : [],
      ),
      [],
    );
  });

  it(`have at most ${EXPECTED_LINES} lines, or say why not, and never more than ${MAX_LINES}`, () => {
    assert.deepEqual(complaints(lengthComplaints), []);
  });

  it("may be long for a reason, up to a point", () => {
    assert.equal(lengthComplaints("a.ts", "\n".repeat(EXPECTED_LINES + 1)).length, 1);
    assert.equal(lengthComplaints("a.ts", `${DEFENCE} it is a table.\n${"\n".repeat(EXPECTED_LINES)}`).length, 0);
    assert.equal(lengthComplaints("a.ts", `${DEFENCE} it is a table.\n${"\n".repeat(MAX_LINES)}`).length, 1);
  });
});

describe("the compiler of codecs and protocols", () => {
  const FOREIGN = ["setTimeout", "setInterval", "queueMicrotask", "Buffer", "process", "console", "fetch", "crypto"];
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  for (const layer of ["codec", "protocol"]) {
    it(`knows the language and nothing of a platform (src/${layer}/tsconfig.json)`, () => {
      const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, "src", layer, "tsconfig.json"), "utf8"));
      assert.deepEqual(compilerOptions.lib, ["ES2023"]);
      assert.deepEqual(compilerOptions.types, []);
    });

    it(`refuses a timer, a buffer and other things of the platform (src/${layer})`, () => {
      // Each name on a line of its own; the import shows that nothing leaks in through the layer below.
      const names = FOREIGN.map((name) => `export const ${name}_: unknown = ${name};`);
      const source = ['export type { Piece } from "../../src/base/bytes.ts";', ...names].join("\n");
      const output = compileAs(`src/${layer}/tsconfig.json`, source);
      const refusedNames = [...output.matchAll(/Cannot find name '(\w+)'/g)].map(([, name]) => name);
      assert.deepEqual(refusedNames, FOREIGN, output);
      assert.equal(compileAs("src/tsconfig.json", source), "", "with Node's types the same file compiles");
    });
  }

  /** The output of tsc for a file that is compiled with the options of the given project. */
  function compileAs(project: string, source: string): string {
    // Inside the project, so that Node's types would be found if the options asked for them.
    const folder = mkdtempSync(join(ROOT, "dist", "border-"));
    folders.push(folder);
    const config = {
      extends: join(ROOT, project),
      // Named one by one: an "include" leaves out what is under outDir.
      include: [],
      files: ["snippet.ts"],
      references: [{ path: "../../src/base" }],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
    writeFileSync(join(folder, "snippet.ts"), source);
    const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
    const { stdout } = spawnSync(process.execPath, [tsc, "-p", folder, "--noEmit"], { encoding: "utf8" });
    return stdout;
  }
});

/** The complaints of `check` about all sources. */
function complaints(check: (file: string, source: string) => string[]): string[] {
  return [...sources].flatMap(([file, source]) => check(file, source));
}

function importComplaints(file: string, source: string): string[] {
  const name = layerName(file);
  // The public entries stand above all layers.
  if (name === "") return [];
  const layer = LAYERS.get(name);
  if (layer === undefined) return [`src/${file}: no such layer`];
  return specifiers(source)
    .filter((specifier) => !mayImport(layer, file, specifier))
    .map((specifier) => `src/${file} may not import ${specifier}: ${allowed(name, layer, specifier)}`);
}

/** The end of a complaint: files that may be imported, or may import this. */
function allowed(name: string, layer: Layer, specifier: string): string {
  if (specifier.startsWith(".")) return `${name} imports files of ${layer.imports.join(", ")}`;
  if (specifier.startsWith("node:")) return `${name} imports ${layer.node.length > 0 ? layer.node : "nothing of Node"}`;
  return "packages are imported by entries, src/*.ts";
}

function mayImport(layer: Layer, file: string, specifier: string): boolean {
  if (specifier.startsWith("node:")) return layer.node === "any" || layer.node.includes(specifier);
  // Optional peers, in the entries that are for those who have them.
  if (specifier === "react") return file === "client/react.ts";
  if (specifier === "hono") return file.startsWith("hosts/hono/");
  if (!specifier.startsWith(".")) return false;
  return layer.imports.includes(layerName(posix.join(posix.dirname(file), specifier)));
}

/** The folder under src/; "" for what stands in src/ itself. */
function layerName(file: string): string {
  return file.includes("/") ? file.slice(0, file.indexOf("/")) : "";
}

/**
 * The modules from which a file imports and exports. The formatter puts statements at the beginning of a line and uses double quotes;
 * `import(…)` and `require(…)` are found anywhere but in comments, and a computed target is given as it stands.
 */
function specifiers(source: string): string[] {
  const code = source.replace(/^\s*(?:\/\/|\/?\*).*$/gm, "");
  return [
    ...code.matchAll(/^(?:import|export)\b[^"'`;]*?\bfrom\s+"([^"]+)"/gm),
    ...code.matchAll(/^import\s+"([^"]+)"/gm),
    ...code.matchAll(/\b(?:import|require|getBuiltinModule)\(\s*"?([^")]*)/g),
  ].map((match) => match[1] ?? "");
}

/** The files of src that a file imports. */
function importedFiles(file: string, source: string): string[] {
  return specifiers(source)
    .map((specifier) => posix.join(posix.dirname(file), specifier))
    .filter((name) => sources.has(name));
}

/** Groups of files of which each reaches each other one by imports (strongly connected components: Tarjan 1972). */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const path: string[] = [];
  const visit = (file: string): number => {
    const own = order.size;
    order.set(file, own);
    path.push(file);
    let lowest = own;
    for (const next of imports.get(file) ?? []) {
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (path.includes(next)) lowest = Math.min(lowest, order.get(next)!);
    }
    if (lowest === own) {
      const group = path.splice(path.indexOf(file)).sort();
      if (group.length > 1) found.push(group);
    }
    return lowest;
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return found;
}

function mentions(file: string, source: string, pattern: RegExp): string[] {
  return [...source.matchAll(pattern)].map(([text]) => `src/${file} mentions ${text}`);
}

function kindComplaints(file: string, source: string): string[] {
  if (!ABOVE_THE_SEAM.includes(layerName(file)) || MAY_COMPARE_KINDS.has(file)) return [];
  return comparisons(source).map((text) => `src/${file} compares the kind of a transport: ${text}`);
}

function comparisons(source: string): string[] {
  const patterns = [
    /[!=]== *"(?:websocket|sse|stream|poll)"/g,
    /\b(?:kind|transport) *[!=]== *"http"/g,
    /\b(?:carrier|transport|channel)\??\.(?:kind|transport) *[!=]== *\w/g,
    /\bswitch \(\S*\b(?:carrier|transport|channel)\??\.(?:kind|transport)\)/g,
    /\bisSession\b|\b(?:channel|transport)\??\.isWebSocket\b/g,
  ];
  return patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(([text]) => text));
}

function sansIo(file: string): boolean {
  return layerName(file) === "codec" || layerName(file) === "protocol";
}

function lengthComplaints(file: string, source: string): string[] {
  const lines = source.replace(/\n$/, "").split("\n");
  if (lines.length > MAX_LINES) return [`src/${file} has ${lines.length} lines: split it`];
  if (lines.length <= EXPECTED_LINES || lines.some((line) => line.startsWith(DEFENCE))) return [];
  return [`src/${file} has ${lines.length} lines and no "${DEFENCE} …"`];
}
