// Options that are wrong are refused where they are given, in plain JavaScript as well.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type ChannelOptions, openChannel, serve, withChannel } from "../../src/index.ts";
import { CHANNEL_OPTIONS } from "../../src/request/channel-options.ts";
import { SERVE_CHECKS } from "../../src/server/options.ts";
import { serving } from "../support/serving.ts";

// biome-ignore lint/suspicious/noExplicitAny: arguments as plain JavaScript may pass them
const looseServe = serve as (...args: any[]) => Promise<unknown>;

function namesOf(path: string, name: string): string[] {
  const text = new RegExp(`export interface ${name}\\b[^{]*\\{([\\s\\S]*?)\\n\\}`).exec(
    readFileSync(path, "utf8"),
  )![1]!;
  return [...text.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, one]) => one!).sort();
}

describe("the options of serve", () => {
  it("are those of its interface", () => {
    assert.deepEqual(
      Object.keys(SERVE_CHECKS).sort(),
      [
        ...namesOf("src/server/options.ts", "ServeOptions"),
        ...namesOf("src/server/server-limits.ts", "ServerLimits"),
      ].sort(),
    );
  });

  it("are refused with a suggestion where a name is unknown", async () => {
    const refused = { code: "BAD_OPTION", message: /"prot"; did you mean "port"/ };
    await assert.rejects(
      looseServe(() => "", { prot: 1 }),
      refused,
    );
    await assert.rejects(looseServe({ fetch: () => new Response(), prot: 1 }), refused);
    await assert.rejects(
      looseServe(() => "", { server: {} }),
      { code: "BAD_OPTION", message: /"server"/ },
    );
  });

  for (const args of [[], ["x"], [null], [{}], [{ port: 0 }], [{ fetch: 1 }]]) {
    it(`are no substitute for a handler: serve(${args.map((one) => JSON.stringify(one)).join()}) says what to pass`, async () => {
      await assert.rejects(looseServe(...args), {
        code: "BAD_OPTION",
        message: /serve takes a handler, or \{ fetch \}/,
      });
    });
  }

  const wrong: readonly Readonly<Record<string, unknown>>[] = [
    { port: "9090" },
    { port: -1 },
    { port: 65_536 },
    { port: Number.NaN },
    { port: 1.5 },
    { host: 1 },
    { path: 7 },
    { path: "" },
    { fd: -1 },
    { backlog: "x" },
    { allowedOrigins: "https://app.example" },
    { upgrade: true },
    { onError: {} },
    { logger: {} },
    { logger: null },
    { maxMessageBytes: Number.NaN },
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options);
    it(`are refused: ${name} ${String(Object.values(options)[0])}`, async () => {
      await assert.rejects(
        looseServe(() => "", options),
        { code: "BAD_OPTION", message: new RegExp(name!) },
      );
    });
  }

  it("are an object", async () => {
    for (const options of [null, "x", 1, []]) {
      await assert.rejects(
        looseServe(() => "", options),
        { code: "BAD_OPTION" },
      );
    }
  });
});

describe("the options of a channel", () => {
  it("are those of its interface", () => {
    assert.deepEqual(Object.keys(CHANNEL_OPTIONS).sort(), namesOf("src/request/channel-options.ts", "ChannelOptions"));
  });

  const wrong: readonly (readonly [options: object, text: RegExp])[] = [
    [{ protocol: [] }, /did you mean "protocols"/],
    [{ maxBufferedBytes: Number.NaN }, /maxBufferedBytes/],
    [{ maxMessageBytes: -1 }, /maxMessageBytes/],
    [{ pingIntervalMs: "1" }, /pingIntervalMs/],
    [{ pongTimeoutMs: null }, /pongTimeoutMs/],
    [{ onOverflow: "wait" }, /onOverflow/],
  ];
  for (const [options, message] of wrong) {
    it(`are refused before anything is opened: ${JSON.stringify(options)}`, async (t) => {
      const site = await serving(t, (request) => {
        const given = options as ChannelOptions;
        assert.throws(() => withChannel(request, () => {}, given), { code: "BAD_OPTION", message });
        assert.throws(() => openChannel(request, {}, given), { code: "BAD_OPTION", message });
        return "refused";
      });
      assert.equal((await site.request("GET /")).text, "refused");
    });
  }
});

describe("the options of stop", () => {
  it("are refused with a suggestion where a name is unknown", async (t) => {
    const { server } = await serving(t, () => "", {});
    await assert.rejects(server.stop({ grace: 1 } as object), {
      code: "BAD_OPTION",
      message: /did you mean "graceMs"/,
    });
  });
});
