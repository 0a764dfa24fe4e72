// The ids of requests and channels: names for logs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { withChannel } from "../../src/index.ts";
import { serving } from "../support/serving.ts";

const FORM = /^[0-9a-z]{8}-[0-9a-z]+$/;

describe("the id of a request or channel", () => {
  it("is short, stays the same, and is unique", async (t) => {
    const ids: string[] = [];
    const site = await serving(t, (r) => {
      ids.push(r.id, r.id);
      return withChannel(r, (channel) => {
        ids.push(channel.id, channel.id);
        channel.send("x");
      });
    });
    await site.request("GET /");
    await site.request("GET /");
    assert.equal(ids.length, 8);
    for (const id of ids) assert.match(id, FORM);
    for (let i = 0; i < 8; i += 2) assert.equal(ids[i], ids[i + 1]);
    assert.equal(new Set(ids).size, 4);
    assert.equal(new Set(ids.map((id) => id.slice(0, 9))).size, 1, "one process, one beginning");
  });

  it("is numbered on first use: a channel whose id is not read takes no number", async (t) => {
    const ids: string[] = [];
    const site = await serving(t, (r) => {
      if (r.path === "/asks") ids.push(r.id);
      return "ok";
    });
    for (const path of ["/asks", "/silent", "/silent", "/asks"]) await site.request(`GET ${path}`);
    const [first, second] = ids.map((id) => Number.parseInt(id.slice(9), 36));
    assert.equal(second, first! + 1);
  });

  it("begins in another way in another process", () => {
    const program = `import("${new URL("../../src/channel/ids.js", import.meta.url)}").then((m) => console.log(m.nextId()))`;
    const [a, b] = [0, 1].map(() => execFileSync(process.execPath, ["-e", program], { encoding: "utf8" }).trim());
    assert.match(a!, FORM);
    assert.notEqual(a!.slice(0, 8), b!.slice(0, 8));
    assert.equal(a!.slice(8), "-1");
  });
});
