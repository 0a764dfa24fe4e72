// The configuration of docs/how-to/cross-origin.md for the proxy of Vite's dev server, with the real Vite.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import { WebSocket } from "ws";
import { openSession, serve } from "../../src/index.ts";
import { block } from "../how-to/programs.ts";

interface ViteServer {
  readonly resolvedUrls: { readonly local: readonly string[] } | null;
  listen(): Promise<unknown>;
  close(): Promise<void>;
}

describe("the page about dev servers", () => {
  it("lets a page of Vite's dev server talk to the server behind its proxy, as a page of its own origin", async (t) => {
    const server = await serve((request) => openSession(request, {}), { host: "127.0.0.1", port: 0 });
    t.after(() => server.stop({ graceMs: 0 }));
    const printed = block("cross-origin", "defineConfig");
    assert.match(printed, /^\/\/ vite\.config\.ts\nimport \{ defineConfig \} from "vite";$/m);
    const folder = mkdtempSync(join(tmpdir(), "unichannel-vite-"));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "vite.config.mjs");
    const config = printed.replace(/^import .*$/m, "const defineConfig = (config) => config;");
    writeFileSync(file, config.replace("127.0.0.1:9090", `127.0.0.1:${server.port}`));
    const { default: options } = (await import(pathToFileURL(file).href)) as { default: { server: object } };
    const require = createRequire(join(process.cwd(), "examples/frameworks/package.json"));
    const { createServer } = (await import(pathToFileURL(require.resolve("vite")).href)) as {
      createServer(options: object): Promise<ViteServer>;
    };
    const vite = await createServer({
      ...options,
      ...{ root: folder, configFile: false, logLevel: "silent", cacheDir: join(folder, "cache") },
      server: { ...options.server, host: "127.0.0.1", port: 0 },
    });
    t.after(() => vite.close());
    await vite.listen();
    const { origin } = new URL(vite.resolvedUrls!.local[0]!);
    assert.notEqual(new URL(origin).port, String(server.port));

    const poll = await fetch(`${origin}/live?mode=poll`, { headers: { Origin: origin } });
    assert.equal(poll.status, 200);
    assert.match(await poll.text(), /^event: open$/m);
    const socket = new WebSocket(`${origin.replace("http", "ws")}/live`, "unichannel.v1", { origin });
    t.after(() => socket.terminate());
    const [first] = await new Promise<unknown[]>((done, failed) => {
      socket.on("message", (...args) => done(args));
      socket.on("error", failed);
    });
    assert.match(String(first), /^o\{"session":/);
  });
});
