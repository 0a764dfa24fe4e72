// Comments and names keep to docs/glossary.md. What a person has to judge is not checked; two habits that return are.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

/** Words that begin riddles: a comment begins with the thing that it describes, or with a verb. */
const RIDDLES = /^(?:What|Who|Of|That|Those|Whoever)\b/;

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
  [/\bisOwing\b/, "isAwaitingResponse"],
  [/\bisClogged\b/, "isWriteBlocked"],
  [/\bHeldLine\b/, "LineBuffer"],
  [/\bLadder\b/, "CarrierSelector"],
  [/\b(?:class|interface|type|const|function) (?:rung|racer|climb)\b/, "preference, candidate or upgrade"],
  [/\bto(?:Trust|Believed)\b/, "the proxy matcher"],
  [/\bbreakOff\b/, "fail"],
  [/\bendsAfter\b/, "closesByDefault"],
  [/\bAnyRecord\b/, "CompactRecord"],
  [/\bisAnsweredAtDoor\b/, "answerBeforeHandler"],
  [/\b(?:sayProcessing|wantBody)\b/, "sendInterim or sendContinue"],
  [/\bcloseOption\b/, "positionOf"],
  [/\bmayAsk\b/, "askOnce"],
  [/\breadOwnFields\b/, "readFramingFields"],
  [/\bordinaryHead\b/, "cachedHead"],
  [/\bHttp[12]Context\b/, "ExchangeContext"],
];

const CODE = ["bench", "conformance", "demo", "examples", "fuzz", "scripts", "siege", "site", "soak", "src", "test"];

/** Folders that are installed or generated. */
const NOT_OURS = ["node_modules", ".next", "api", "cache", "dist", ".temp"];

describe("the language of the project", () => {
  const sources = CODE.flatMap((root) => filesOf(root, /\.[jt]sx?$/));
  const documents = [...filesOf("docs", /\.md$/), ...CODE.flatMap((root) => filesOf(root, /\.md$/)), ...ownDocuments()];

  it("lets no comment begin with What, Who, Of, That, Those or Whoever", () => {
    const found = sources.flatMap((path) =>
      comments(readFileSync(path, "utf8"))
        .filter(({ text }) => RIDDLES.test(text))
        .map(({ line, text }) => `${path}:${line} ${text.slice(0, 60)}`),
    );
    assert.deepEqual(found, []);
  });

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

function filesOf(root: string, name: RegExp): string[] {
  // Not `recursive`: installed packages link back to this folder.
  return readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const path = join(root, entry.name);
    if (entry.isDirectory()) return NOT_OURS.includes(entry.name) ? [] : filesOf(path, name);
    return entry.isFile() && name.test(entry.name) ? [path] : [];
  });
}

function ownDocuments(): string[] {
  return readdirSync(".").filter((name) => name.endsWith(".md"));
}
