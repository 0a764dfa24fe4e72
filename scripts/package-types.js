// @ts-check
// Compiles programs that use the packed package, without skipLibCheck (TypeScript's default), in the module settings that
// its users have: with the TypeScript of this project and with the last 5.x, with @types/node, and, for what runs in
// browsers, without.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fetchPackage } from "./lib/fetch-package.js";
import { pack } from "./pack.js";

const OLD_TYPESCRIPT = "5.9.3";

/** @type {string[]} */
const ALL = Object.keys(JSON.parse(readFileSync("package.json", "utf8")).exports).filter(
  (name) => !name.endsWith(".json"),
);
const BROWSER = ["./client", "./react"];
/** The type libraries of a browser. */
const DOM = ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"];

/** @type {{ name: string, module: string, resolution: string, file: string, lib: string[], types: string[], entries: string[] }[]} */
const SETTINGS = [
  {
    name: "Node, ES modules",
    module: "NodeNext",
    resolution: "NodeNext",
    file: "app.mts",
    lib: ["ES2023"],
    types: ["node"],
    entries: ALL,
  },
  {
    name: "Node, CommonJS",
    module: "NodeNext",
    resolution: "NodeNext",
    file: "app.cts",
    lib: ["ES2023"],
    types: ["node"],
    entries: ALL,
  },
  { name: "bundler", module: "ESNext", resolution: "Bundler", file: "app.ts", lib: DOM, types: ["node"], entries: ALL },
  {
    name: "bundler, without @types/node",
    module: "ESNext",
    resolution: "Bundler",
    file: "app.ts",
    lib: DOM,
    types: [],
    entries: BROWSER,
  },
  {
    name: "Node, ES modules, without @types/node",
    module: "NodeNext",
    resolution: "NodeNext",
    file: "app.mts",
    lib: DOM,
    types: [],
    entries: BROWSER,
  },
];

const folder = mkdtempSync(join(tmpdir(), "unichannel-types-"));
try {
  await unpack(folder);
  const compilers = {
    "this project's": "node_modules/typescript",
    [OLD_TYPESCRIPT]: fetchPackage("typescript", OLD_TYPESCRIPT),
  };
  for (const [version, compiler] of Object.entries(compilers)) {
    for (const settings of SETTINGS) {
      // The old compiler takes ten times as long; how modules are found it does no differently.
      if (version === OLD_TYPESCRIPT && settings.file === "app.cts") continue;
      const errors = compile(resolve(compiler, "bin/tsc"), settings);
      if (errors === "") continue;
      console.error(`${settings.name}, TypeScript ${version}:\n${errors}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** The package as it is published, and beside it what its users install. @param {string} into */
async function unpack(into) {
  const { tarball } = await pack(into);
  const target = join(into, "node_modules/unichannel");
  mkdirSync(target, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", target, "--strip-components=1"]);
  for (const name of ["react", "hono", "prom-client", "@types/react", "@types/node"]) {
    mkdirSync(join(into, "node_modules", name, ".."), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(into, "node_modules", name));
  }
}

/** The compiler's output. @param {string} compiler @param {typeof SETTINGS[number]} settings */
function compile(compiler, { module, resolution, file, lib, types, entries }) {
  const lines = entries.map(
    (entry, i) => `import * as entry${i} from "unichannel${entry.slice(1)}";\nexport { entry${i} };\n`,
  );
  writeFileSync(join(folder, file), lines.join(""));
  const options = { module, moduleResolution: resolution, target: "ES2023", lib, types, strict: true, noEmit: true };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: [file] }));
  const { stdout, stderr, error } = spawnSync(process.execPath, [compiler, "-p", folder, "--pretty", "false"], {
    encoding: "utf8",
  });
  return `${stdout}${stderr}${error ?? ""}`;
}

/** @param {string} command @param {string[]} args */
function run(command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stdout}${stderr}${error ?? ""}`);
  return stdout;
}
