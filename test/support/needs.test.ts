import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { needs, pathOf } from "./needs.ts";

describe("needs", () => {
  it("is false for a command that is on the PATH", () => {
    assert.equal(needs("sh"), false);
  });

  it("looks in other folders than those of the PATH, if they are given", () => {
    withRequireAll(undefined, () => assert.equal(needs("sh", ["/no-such-folder"]), "sh is not installed"));
    assert.equal(needs("sh", ["/no-such-folder", "/bin"]), false);
    assert.equal(pathOf("sh", ["/no-such-folder", "/bin"]), "/bin/sh");
  });

  it("gives a reason to skip for a command that is not there", () => {
    withRequireAll(undefined, () => assert.equal(needs("no-such-command"), "no-such-command is not installed"));
  });

  it("throws for a missing command when UNICHANNEL_REQUIRE_ALL is set", () => {
    withRequireAll("1", () => assert.throws(() => needs("no-such-command"), /UNICHANNEL_REQUIRE_ALL/));
  });

  it("takes no folder for a command", () => {
    withRequireAll(undefined, () => assert.equal(needs("."), ". is not installed"));
  });
});

function withRequireAll(value: string | undefined, run: () => void): void {
  const before = process.env["UNICHANNEL_REQUIRE_ALL"];
  set(value);
  try {
    run();
  } finally {
    set(before);
  }
}

function set(value: string | undefined): void {
  if (value === undefined) delete process.env["UNICHANNEL_REQUIRE_ALL"];
  else process.env["UNICHANNEL_REQUIRE_ALL"] = value;
}
