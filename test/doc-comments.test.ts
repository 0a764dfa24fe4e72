// Every exported name, and every public member of an exported interface or class, has a doc comment. What is checked are the
// declarations that users get: the `.d.ts` files of the entries of package.json, which the compiler writes in one regular form.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

const { exports: ENTRIES } = JSON.parse(readFileSync("package.json", "utf8")) as {
  exports: Record<string, string | { readonly types: string }>;
};

describe("the declarations of", () => {
  for (const [entry, target] of Object.entries(ENTRIES)) {
    if (typeof target === "string") continue;
    it(`${entry} have a doc comment for each export and each public member`, () => {
      const exported = exportsOf(target.types);
      assert.ok(exported.length > 0);
      assert.deepEqual(exported.flatMap(undocumented), []);
    });
  }
});

/** Types of the library that public declarations name and that nobody has to write: parts of other types. */
const PARTS = new Set([
  ...["ClientOptions", "Ending", "EventFields", "GroupStore", "Handler", "InputOf", "MemoryBroker", "MemoryNetwork"],
  ...[
    "NoPromise",
    "OfTheServer",
    "OutputOf",
    "SchemaResult",
    "Sendable",
    "Source",
    "Timer",
    "TypedEvent",
    "WithoutPort",
    "BrokerOptions",
    "SessionBrokerOptions",
    "OfTheHost",
    // Shorthands of the types of a contract.
    ...["Names", "EventsOf", "RequestsOf", "EventReceived", "RequestReceived", "ReplyReceived"],
    ...["EventSent", "RequestSent", "ReplySent"],
    "CarrierSelector",
    "Endpoint",
    "SharingOwner",
    "PartOfMessage",
  ],
]);

describe("the types that public declarations name", () => {
  const entries = Object.entries(ENTRIES).flatMap(([entry, target]) =>
    typeof target === "string" ? [] : [{ entry, exported: exportsOf(target.types) }],
  );
  const importable = new Set(entries.flatMap(({ exported }) => exported.map(({ name }) => name)));

  it("can be imported from one of the entries", () => {
    const missing = new Set<string>();
    for (const { name, text } of entries.flatMap(({ exported }) => exported)) {
      for (const used of namesIn(declarationText(name, text))) {
        if (isOurs(used, text) && !importable.has(used) && !PARTS.has(used)) missing.add(`${used}, named by ${name}`);
      }
    }
    assert.deepEqual([...missing], []);
  });

  it("have a line in docs/reference/types.md, below their entry", () => {
    const page = readFileSync("docs/reference/types.md", "utf8");
    for (const { entry, exported } of entries) {
      const heading = `\n## \`unichannel${entry.slice(1)}\`\n`;
      const section = page.slice(page.indexOf(heading) + heading.length).split("\n## ")[0]!;
      const listed = [...section.matchAll(/^\| `(\w+)` \| \S/gm)].map(([, name]) => name!);
      const types = exported.filter(({ name, text }) => / (?:interface|class|type) $/.test(beforeName(name, text)));
      assert.deepEqual(listed, [...new Set(types.map(({ name }) => name))].sort(), entry);
    }
  });
});

describe("the check of declarations", () => {
  it("finds an export and a member without a comment, and takes overloads as one", () => {
    const text = `export interface A {
    /** Documented. */
    readonly a: number;
    /** Documented, in its first form. */
    b(one: string): void;
    b(one: number): void;
    c?: {
        inner: string;
    } | undefined;
}
/** Documented. */
export declare function d(): void;
export declare function d(one: string): void;
export type E = string;
/** Documented. */
export declare class F {
    #private;
    private g;
    constructor();
    static h(): F;
}
`;
    const found = ["A", "d", "E", "F"].flatMap((name) => undocumented({ name, text }));
    assert.deepEqual(found, ["A", "A.c", "E", "F.h"]);
  });
});

interface Exported {
  readonly name: string;
  /** The file that declares it. */
  readonly text: string;
}

/** All exports of a `.d.ts` file: its own declarations, and those that it exports from other files. */
function exportsOf(file: string): Exported[] {
  const text = readFileSync(file, "utf8");
  const own = [...text.matchAll(/^export (?:declare )?(?:abstract )?(?:function|class|const|interface|type) (\w+)/gm)];
  const passedOn = [...text.matchAll(/^export (?:type )?\{([^}]*)\} from "([^"]+)"/gm)].flatMap(([, names, from]) => {
    const source = readFileSync(join(dirname(file), from!.replace(/\.[jt]s$/, ".d.ts")), "utf8");
    return names!
      .split(",")
      .map((name) => name.trim().replace(/^type /, ""))
      .filter((name) => name !== "")
      .map((name) => resolve(name, source, join(dirname(file), from!)));
  });
  return [...own.map(([, name]) => ({ name: name!, text })), ...passedOn];
}

/** The file that declares a name, which `text` may only pass on. */
function resolve(name: string, text: string, file: string): Exported {
  if (declarationOf(name).test(text)) return { name, text };
  const from = new RegExp(`^export (?:type )?\\{[^}]*\\b${name}\\b[^}]*\\} from "([^"]+)"`, "m").exec(text)?.[1];
  assert.ok(from, `${name} is declared nowhere`);
  const next = join(dirname(file), from);
  return resolve(name, readFileSync(next.replace(/\.[jt]s$/, ".d.ts"), "utf8"), next);
}

/** The first line of a declaration up to its name. */
function beforeName(name: string, text: string): string {
  return new RegExp(`^export .*?(?=${name}\\b)`).exec(text.slice(declarationOf(name).exec(text)!.index))![0];
}

/** The declaration without its comments and strings: up to the next export or the end of the file. */
function declarationText(name: string, text: string): string {
  const start = declarationOf(name).exec(text)!.index;
  const next = text.slice(start + 1).search(/^(?:export|declare|interface|type|class) /m);
  const own = next === -1 ? text.slice(start) : text.slice(start, start + 1 + next);
  return own.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/"[^"]*"/g, "");
}

function namesIn(declaration: string): string[] {
  return [...new Set([...declaration.matchAll(/\b[A-Z]\w+\b/g)].map(([name]) => name))];
}

/** True for a type of this library: declared in the same file, or imported from another one of it. */
function isOurs(name: string, text: string): boolean {
  const imported = new RegExp(`^import [^;]*\\b${name}\\b[^;]*from "\\.`, "m");
  return (
    imported.test(text) || new RegExp(`^(?:export )?(?:declare )?(?:class|interface|type) ${name}\\b`, "m").test(text)
  );
}

function declarationOf(name: string): RegExp {
  return new RegExp(`^export (?:declare )?(?:abstract )?(?:function|class|const|interface|type) ${name}\\b`, "m");
}

function undocumented({ name, text }: Exported): string[] {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => declarationOf(name).test(line));
  const missing = lines[at - 1]?.endsWith("*/") === true ? [] : [name];
  if (!/ (?:interface|class) /.test(lines[at]!)) return missing;
  // These interfaces say what the methods mean.
  const isImplementing = / implements (?:Backplane|Clock) /.test(lines[at]!);
  const seen = new Set<string>();
  for (let i = at + 1; lines[i] !== "}" && i < lines.length; i++) {
    const member = /^ {4}(?:static )?(?:readonly |get |set |abstract )*(?:"([^"]+)"|\[?([\w.]+)\]?)[?(:<]/.exec(
      lines[i]!,
    );
    if (member === null || lines[i]!.startsWith("    private ")) continue;
    const key = member[1] ?? member[2]!;
    if (key === "constructor" || seen.has(key)) continue;
    seen.add(key);
    if (!isImplementing && !lines[i - 1]!.endsWith("*/")) missing.push(`${name}.${key}`);
  }
  return missing;
}
