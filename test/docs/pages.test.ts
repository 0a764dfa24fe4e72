// The pages of docs/ that people read: how each begins, and that each block of TypeScript can be copied.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, it } from "node:test";
import { needsFrameworks } from "../frameworks/app.ts";
import { UNFINISHED } from "./unfinished.ts";

/** How the pages of a folder begin, after the title. */
const BEGINNINGS: Readonly<Record<string, RegExp>> = {
  tutorial: /^After this chapter /,
  "how-to": /^After this page /,
  explanation: /^After this page you (?:know|understand) /,
  reference: /^This page (?:describes|has|lists) /,
};

/** Packages that are installed in a folder of the examples alone. */
const INSTALLED: readonly (readonly [RegExp, string])[] = [
  [
    /from "(?:express|fastify|koa|next|vite|@nestjs\/[\w-]+|@hono\/node-server|@fastify\/[\w-]+)"/,
    "examples/frameworks",
  ],
  [/from "@modelcontextprotocol\//, "examples/mcp"],
];

const COMPILER = [
  "--strict",
  "--noUncheckedIndexedAccess",
  "--exactOptionalPropertyTypes",
  "--verbatimModuleSyntax",
  "--moduleDetection",
  "force",
  "--allowImportingTsExtensions",
  "--skipLibCheck",
  "--ignoreConfig",
  "--noEmit",
  "--pretty",
  "false",
];
const ENVIRONMENT = ["--target", "es2023", "--lib", "es2023,dom,dom.iterable", "--types", "node"];
/** The types of Next are for bundlers, as is the configuration that create-next-app writes. */
const MODULES = { next: ["--module", "esnext", "--moduleResolution", "bundler"], node: ["--module", "nodenext"] };
/** Not installed here: Bun's own types, and a package that is not on npm. Their programs run in test/hosts. */
const ELSEWHERE = 'declare const Bun: { serve(options: object): unknown };\ndeclare module "uWebSockets.js";\n';
/** Nest's decorators are those before the standard. */
const DECORATORS = ["--experimentalDecorators", "--emitDecoratorMetadata"];

interface Block {
  /** The words after the three backticks: `ts`, `sh`, `ts excerpt=examples/chat.js`. */
  readonly info: string;
  readonly text: string;
  /** A file, or lines for one, of a framework's starter: scripts/test-starters.js makes the starter anew, and follows the guide. */
  readonly isForStarter: boolean;
}

interface DocumentedPage {
  /** `how-to/groups` */
  readonly name: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** The section that brings channels into a starter, in the starter's own language. */
const STARTER = /^## (?:In the starter of|From an empty folder)/m;

const PAGES: readonly DocumentedPage[] = Object.keys(BEGINNINGS).flatMap((folder) =>
  readdirSync(`docs/${folder}`)
    .filter((file) => file.endsWith(".md"))
    .map((file) => pageOf(`${folder}/${file.slice(0, -".md".length)}`)),
);

function pageOf(name: string, text: string = readFileSync(`docs/${name}.md`, "utf8")): DocumentedPage {
  const starter = STARTER.exec(text)?.index ?? text.length;
  const blocks = [...text.matchAll(/^```(\S[^\n]*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: info = "", 2: block = "", index }) => ({
      info,
      text: block,
      isForStarter: index > starter,
    }),
  );
  return { name, text, blocks };
}

const isComplete = ({ info, isForStarter }: Block): boolean => !isForStarter && (info === "ts" || info === "tsx");

/** Lines that say what is wrong with the beginning of a page or with the kinds of its blocks. */
function faultsOf({ name, text, blocks }: DocumentedPage): string[] {
  const [, first = ""] = /^# .+\n\n([^\n]*)/.exec(text) ?? [];
  const faults: string[] = [];
  if (!BEGINNINGS[dirname(name)]!.test(first))
    faults.push(`${name}: begins with ${JSON.stringify(first.slice(0, 60))}`);
  for (const block of blocks) {
    if (block.isForStarter) continue;
    if (/^(?:m?js|jsx|javascript|typescript)\b/.test(block.info)) faults.push(`${name}: a block of ${block.info}`);
    else if (/^tsx?\b/.test(block.info) && !isComplete(block)) faults.push(...faultsOfExcerpt(name, block));
  }
  return faults;
}

/** An excerpt stands in its file as it is printed; only the whole may be indented by more. */
function faultsOfExcerpt(page: string, { info, text }: Block): string[] {
  const [, file] = /^tsx? excerpt=(\S+)$/.exec(info) ?? [];
  if (file === undefined) return [`${page}: what does "${info}" mean?`];
  if (!existsSync(file)) return [`${page}: no file ${file}`];
  const wanted = text.trimEnd().split("\n");
  const lines = readFileSync(file, "utf8").split("\n");
  const indentation = (line: string): string => /^ */.exec(line)![0];
  const isAt = (at: number): boolean => {
    const more = indentation(lines[at]!).slice(indentation(wanted[0]!).length);
    return wanted.every((line, i) => lines[at + i] === (line === "" ? "" : more + line));
  };
  return lines.some((_, at) => isAt(at))
    ? []
    : [`${page}: ${file} does not have the lines that begin with ${wanted[0]}`];
}

/** Where the packages are that a page imports, beside those of the repository. */
const folderOf = ({ blocks }: DocumentedPage): string =>
  INSTALLED.find(([pattern]) => blocks.some((block) => isComplete(block) && pattern.test(block.text)))?.[1] ?? ".";

/**
 * The complaints of the compiler about the complete blocks of the pages. Those of one page are files of one folder: a block that begins
 * with `// shop.ts` may be imported by the next.
 */
function complaints(pages: readonly DocumentedPage[], base: string, modules = MODULES.node): string[] {
  // In node_modules of the examples, the packages of the examples are found.
  const parent = base === "." ? "dist/test/docs" : `${base}/node_modules/.pages`;
  mkdirSync(parent, { recursive: true });
  const folder = resolve(mkdtempSync(`${parent}/types-`));
  try {
    const files: string[] = [];
    for (const { name, blocks } of pages) {
      for (const [file, text] of earlierFiles(name)) {
        mkdirSync(join(folder, name), { recursive: true });
        writeFileSync(join(folder, name, file), text);
      }
      for (const [at, { info, text }] of blocks.filter(isComplete).entries()) {
        const [, named] = /^\/\/ ([\w./-]+\.m?tsx?)\b/.exec(text) ?? [];
        // A page may show two programs of the same name, one after the other: the second gets another one.
        let file = join(folder, name, named ?? `block-${at + 1}.${info === "tsx" ? "tsx" : "mts"}`);
        if (files.includes(file)) file = join(folder, name, `again-${at + 1}`, named!);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
        files.push(file);
      }
    }
    if (files.length === 0) return [];
    files.push(join(folder, "elsewhere.d.ts"));
    writeFileSync(join(folder, "elsewhere.d.ts"), ELSEWHERE);
    if (base !== ".") writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const decorators = base === "examples/frameworks" ? DECORATORS : [];
    const jsx = files.some((file) => file.endsWith(".tsx")) ? ["--jsx", "react-jsx"] : [];
    execFileSync(
      resolve("node_modules/.bin/tsc"),
      [...COMPILER, ...ENVIRONMENT, ...modules, ...decorators, ...jsx, ...files],
      {
        cwd: folder,
        encoding: "utf8",
        stdio: "pipe",
      },
    );
    return [];
  } catch (error) {
    return ((error as { stdout?: string }).stdout ?? String(error)).trim().split("\n");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The files that a reader of a chapter of the tutorial has from the chapters before. */
function earlierFiles(page: string): readonly (readonly [file: string, text: string])[] {
  if (dirname(page) !== "tutorial") return [];
  const earlier = PAGES.filter(({ name }) => dirname(name) === "tutorial" && name < page);
  return earlier.flatMap(({ blocks }) =>
    blocks.filter(isComplete).map(({ text }) => [/^\/\/ ([\w-]+\.ts)\n/.exec(text)![1]!, text] as const),
  );
}

describe("the pages of docs", () => {
  it("begin with what the reader gets, and have blocks of TypeScript in place of JavaScript", () => {
    assert.deepEqual(PAGES.filter(({ name }) => !UNFINISHED.has(name)).flatMap(faultsOf), []);
  });

  for (const [base, skip] of [
    [".", false],
    ["examples/frameworks", needsFrameworks()],
    ["examples/mcp", existsSync("examples/mcp/node_modules") ? false : "examples/mcp is not installed"],
  ] as const) {
    it(`have blocks that compile alone, with the packages of ${base}`, { skip }, () => {
      const pages = PAGES.filter((page) => folderOf(page) === base && !UNFINISHED.has(page.name));
      const ofNext = pages.filter(({ name }) => name === "how-to/next");
      const others = pages.filter((page) => !ofNext.includes(page));
      assert.deepEqual([...complaints(others, base), ...complaints(ofNext, base, MODULES.next)], []);
    });
  }

  it("are finished, except for those that are listed", () => {
    const names = new Set(PAGES.map(({ name }) => name));
    for (const name of UNFINISHED) assert.ok(names.has(name), name);
  });

  it("are checked: an excerpt that is not in its file, a block of JavaScript and another beginning are found", () => {
    const page = (text: string): string[] => faultsOf(pageOf("how-to/page", text));
    const line = readFileSync("examples/chat.js", "utf8")
      .split("\n")
      .find((text) => text.startsWith("import "))!;
    const begin = "# Page\n\nAfter this page you have a page.\n\n";
    assert.deepEqual(page(`${begin}\`\`\`ts excerpt=examples/chat.js\n${line}\n\`\`\`\n`), []);
    assert.equal(page(`${begin}\`\`\`ts excerpt=examples/chat.js\n${line}?\n\`\`\`\n`).length, 1);
    assert.equal(page(`${begin}\`\`\`ts excerpt=examples/none.js\n${line}\n\`\`\`\n`).length, 1);
    assert.equal(page(`${begin}\`\`\`js\n${line}\n\`\`\`\n`).length, 1);
    assert.equal(page("# Page\n\nA page.\n").length, 1);
  });

  it("are checked: the compiler finds a name that is not declared, and a missing type", () => {
    const text = "const all = [];\nexport const pick = (name) => all.find(missing);\n";
    const found = complaints([pageOf("how-to/page", `\`\`\`ts\n${text}\`\`\`\n`)], ".").join("\n");
    assert.match(found, /implicitly has an 'any' type/);
    assert.match(found, /Cannot find name 'missing'/);
  });
});
