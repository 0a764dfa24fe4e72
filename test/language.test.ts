// Comments and names keep to docs/glossary.md. What a person has to judge is not checked; two habits that return are.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

/** Words that begin riddles: a comment begins with the thing that it describes, or with a verb. */
const RIDDLES = /^(?:What|Who|Of|That|Those|Whoever)\b/;

/** Comments that still begin like this, by folder. A folder that is not listed has none. Lower them, never raise them. */
const RIDDLES_LEFT: Readonly<Record<string, number>> = {
  "src/backplane": 28,
  "src/base": 4,
  "src/channel": 10,
  "src/client": 38,
  "src/codec": 23,
  "src/group": 22,
  "src/protocol": 7,
  "src/request": 6,
  "src/server": 36,
  "src/session": 17,
  "src/testing": 16,
  "src/transport": 28,
  "test/backplane": 3,
  "test/base": 1,
  "test/channel": 4,
  "test/client": 10,
  "test/codec": 3,
  "test/conformance": 4,
  "test/contract": 8,
  "test/fault": 19,
  "test/group": 3,
  "test/protocol": 4,
  "test/request": 3,
  "test/server": 35,
  "test/support": 16,
  "test/transport": 10,
};

/** Names that were replaced, and by what. */
const RETIRED: readonly (readonly [name: RegExp, use: string])[] = [
  [/\bRoster\b|\bListed\b/, "IndexedSet"],
  [/\b(?:class|interface|type) Mark\b/, "Member"],
  [/\b(?:class|interface|type) Feed\b/, "Subscription"],
  [/\b(?:class|interface|type) Missed\b|\.missed\(/, "replay"],
  [/\bShared(?:Forms|Part|Body|Frames)\b/, "EncodedMessage"],
  [/\bOutgoing\b/, "OutboundMessage"],
  [/\bown-fields\b/, "framing-headers"],
  [/\bordinary-head\b/, "response-head-cache"],
  [/\bmayHaveLeft\b/, "maybeSent"],
];

/** Names that are to be replaced as well: how often each may still occur in src. Lower the numbers, never raise them. */
const RETIRING: readonly (readonly [name: RegExp, use: string, left: number])[] = [
  [/\bSendable\b/, "OutboundMessage", 25],
  [/\bisOwing\b/, "awaitingResponse", 3],
  [/\bisClogged\b/, "isWriteBlocked", 8],
  [/\bHeldLine\b/, "LineBuffer", 5],
  [/\bLadder\b/, "CarrierSelector", 2],
  [/\brung\b/, "preference", 18],
  [/\bracer\b/, "candidate", 2],
  [/\bclimb\b/, "upgrade", 4],
  [/\bto(?:Trust|Believed)\b/, "the proxy matcher", 6],
  [/\bbreakOff\b/, "fail or abort", 15],
  [/\bendsAfter\b/, "closesByDefault", 5],
  [/\bAnyRecord\b/, "NumberedRecord", 11],
];

const CODE = ["bench", "conformance", "demo", "examples", "fuzz", "scripts", "siege", "soak", "src", "test"];

describe("the language of the project", () => {
  const sources = CODE.flatMap((root) => filesOf(root, /\.[jt]sx?$/));
  const documents = [...filesOf("docs", /\.md$/), ...CODE.flatMap((root) => filesOf(root, /\.md$/)), ...ownDocuments()];

  const riddles = new Map<string, string[]>();
  for (const path of sources) {
    const found = comments(readFileSync(path, "utf8")).filter(({ text }) => RIDDLES.test(text));
    const lines = found.map(({ line, text }) => `${path}:${line} ${text.slice(0, 60)}`);
    riddles.set(folderOf(path), [...(riddles.get(folderOf(path)) ?? []), ...lines]);
  }
  for (const [folder, lines] of riddles) {
    const left = RIDDLES_LEFT[folder] ?? 0;
    it(`lets at most ${left} comments of ${folder} begin with What, Who, Of, That, Those or Whoever`, () => {
      assert.ok(lines.length <= left, `${lines.length} do:\n${lines.join("\n")}`);
    });
  }

  it("lets no paragraph or list item of a document begin with one of these words", () => {
    const found = documents.flatMap((path) =>
      paragraphs(readFileSync(path, "utf8"))
        .filter(({ text }) => RIDDLES.test(text))
        .map(({ line, text }) => `${path}:${line} ${text.slice(0, 60)}`),
    );
    assert.deepEqual(found, []);
  });

  it("uses no name that was replaced", () => {
    const paths = [...sources, ...documents].filter((path) => !/docs[\\/]decisions|language\.test/.test(path));
    for (const path of paths) {
      const text = readFileSync(path, "utf8");
      for (const [name, use] of RETIRED) assert.ok(!name.test(text), `${path}: ${name.exec(text)?.[0]} is now ${use}`);
    }
  });

  for (const [name, use, left] of RETIRING) {
    it(`uses ${name.source} at most ${left} times in src: it becomes ${use}`, () => {
      const all = new RegExp(name, "g");
      const found = filesOf("src", /\.ts$/).map((path) => [...readFileSync(path, "utf8").matchAll(all)].length);
      const total = found.reduce((sum, count) => sum + count, 0);
      assert.ok(total <= left, `${total} times`);
    });
  }
});

interface Block {
  readonly line: number;
  readonly text: string;
}

/** The comments of a source: each run of lines that begin with `//`, each `//` behind code, each block comment. */
function comments(source: string): Block[] {
  const found: Block[] = [];
  let isInRun = false;
  for (const [at, line] of source.split("\n").entries()) {
    if (line === "// @ts-check") continue;
    const [, code = "", text = ""] = /^(.*?(?:^|\s))(?:\/\/|\/\*\*?)\s+(\S.*)$/.exec(line) ?? [];
    const isWholeLine = /^\s*\/\//.test(line);
    if (text !== "" && !(isInRun && isWholeLine)) found.push({ line: at + 1, text });
    else if (/^\s*\*\s/.test(line) && /\/\*\*?\s*$/.test(source.split("\n")[at - 1] ?? "")) {
      found.push({ line: at + 1, text: line.replace(/^\s*\*\s+/, "") });
    }
    isInRun = isWholeLine && code.trim() === "";
  }
  return found;
}

/** The paragraphs and list items of a document, without its code. */
function paragraphs(markdown: string): Block[] {
  const found: Block[] = [];
  let isCode = false;
  let before = "";
  for (const [at, line] of markdown.split("\n").entries()) {
    if (line.startsWith("```")) isCode = !isCode;
    const item = /^\s*(?:[-*]|\d+\.)\s+(.*)$/.exec(line)?.[1];
    const isNew = before.trim() === "" || before.startsWith("#");
    if (!isCode && (item !== undefined || isNew)) found.push({ line: at + 1, text: item ?? line });
    before = line;
  }
  return found;
}

/** `src/group/group.ts` → `src/group`; `test/docs.test.ts` → `test`. */
function folderOf(path: string): string {
  const [root = "", folder = ""] = path.split("/");
  return (root === "src" || root === "test") && path.split("/").length > 2 ? `${root}/${folder}` : root;
}

function filesOf(root: string, name: RegExp): string[] {
  const all = readdirSync(root, { recursive: true }) as string[];
  return all.filter((file) => name.test(file) && !file.includes("node_modules")).map((file) => join(root, file));
}

function ownDocuments(): string[] {
  return readdirSync(".").filter((name) => name.endsWith(".md"));
}
