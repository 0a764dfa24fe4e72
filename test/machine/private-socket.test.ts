import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { PrivateSocket } from "../../src/machine/private-socket.ts";

describe("PrivateSocket", () => {
  it("makes a folder that only this user may enter, and removes it", async () => {
    const socket = await PrivateSocket.make("s.sock");
    const folder = dirname(socket.path);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(socket.path, join(folder, "s.sock"));
    await socket.remove();
    assert.equal(existsSync(folder), false);
  });

  it("listens once for the end of a process that has many", async () => {
    const before = process.listenerCount("exit");
    const sockets = await Promise.all(Array.from({ length: 12 }, () => PrivateSocket.make("s.sock")));
    assert.ok(process.listenerCount("exit") <= before + 1);
    for (const socket of sockets) await socket.remove();
    assert.equal(process.listenerCount("exit"), before);
  });

  it("removes the folder of a process that ends by an exception", (t) => {
    const folder = mkdtempSync(join(tmpdir(), "unichannel-test-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const module = new URL("../../src/machine/private-socket.js", import.meta.url).href;
    const program = `import { existsSync } from "node:fs";
      import { dirname } from "node:path";
      const { PrivateSocket } = await import(${JSON.stringify(module)});
      const socket = await PrivateSocket.make("s.sock");
      console.log(existsSync(dirname(socket.path)));
      throw new Error("the end");`;
    assert.throws(
      () =>
        execFileSync(process.execPath, ["--input-type=module", "-e", program], {
          env: { ...process.env, TMPDIR: folder },
          stdio: ["ignore", "pipe", "ignore"],
        }),
      (error: { stdout: Buffer; status: number }) => String(error.stdout) === "true\n" && error.status === 1,
    );
    assert.deepEqual(readdirSync(folder), []);
  });
});
