// The home page of the site: its programs run as they are printed, and the check of links finds those that lead nowhere.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { start, write } from "../how-to/programs.ts";

const HOME = readFileSync("site/index.md", "utf8");
const CHECK = pathToFileURL("site/scripts/check.js").href;

describe("the home page", () => {
  const [server = "", page = ""] = [...HOME.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!);

  it("prints a server and a client that work together", async (t) => {
    const file = write(
      t,
      `${server.replace("await serve(", "const server = await serve(").replace("9090", "0")}
console.log(server.url);`,
    );
    const program = start(t, `await import(${JSON.stringify(pathToFileURL(file).href)});`);
    const [url] = await program.printed(/http:\S+/);
    const client = start(t, page.replace("http://localhost:9090", url));
    await client.printed(/^1?\d\n1?\d\n/m);
    const numbers = client.output().trim().split("\n").map(Number);
    for (const [i, number] of numbers.entries()) assert.equal(number, numbers[0]! + i);
  });
});

describe("the check of the site", async () => {
  const { faultsOf, missingExports } = (await import(CHECK)) as {
    faultsOf(pages: Map<string, string>, isFile: (path: string) => boolean): string[];
    missingExports(pages: Map<string, string>, list: string): string[];
  };

  it("finds a type without a generated page", () => {
    const pages = new Map([["/reference/api/unichannel/client/", "<a>Opening</a>"]]);
    const list = "# Types\n\n## `unichannel/client`\n\n| `Opening` | One. |\n| `Ending` | Two. |\n";
    assert.deepEqual(missingExports(pages, list), ["unichannel/client: nothing generated for Ending"]);
  });

  it("finds a page and an anchor that are not there", () => {
    const pages = new Map([
      ["/", '<a href="/a#one">1</a> <a href="/icon.svg">2</a> <a class="x" href="https://example.com/b">3</a>'],
      ["/a", '<h2 id="one">One</h2> <a href="./b">4</a> <a href="#two">5</a> <a href="/#three">6</a>'],
    ]);
    assert.deepEqual(
      faultsOf(pages, (path) => path === "/icon.svg"),
      ["/a: no page ./b", "/a: no anchor #two", "/a: no anchor /#three"],
    );
  });
});
