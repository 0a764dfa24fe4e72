// The URL of a connection: what is relative is so to the page, as for `fetch` and `WebSocket`.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { connect } from "../../src/client/connect.ts";
import { Network, settle } from "./network.ts";

/** The URL that `connect` asks for first, in a page. */
async function askedFor(url: string, page: { baseURI?: string; href: string }): Promise<string> {
  const network = new Network();
  const globals = globalThis as { document?: unknown; location?: unknown };
  if (page.baseURI !== undefined) globals.document = { baseURI: page.baseURI };
  globals.location = { href: page.href };
  try {
    connect(url, network.options());
    await settle();
    return network.socket().url.href;
  } finally {
    delete globals.document;
    delete globals.location;
  }
}

describe("A relative URL is resolved", () => {
  it("against the base of the document, which `<base>` may have set, and a srcdoc inherits", async () => {
    const page = { baseURI: "https://a.example/app/", href: "https://b.example/x/y" };
    assert.equal(await askedFor("chat", page), "wss://a.example/app/chat?try=1&cursors=0");
    assert.equal(await askedFor("/chat?room=1", page), "wss://a.example/chat?room=1&try=1&cursors=0");
    assert.equal(await askedFor("chat", { ...page, href: "about:srcdoc" }), "wss://a.example/app/chat?try=1&cursors=0");
  });

  it("against the script of a worker, which has no document", async () => {
    assert.equal(
      await askedFor("../chat", { href: "http://b.example/x/y/w.js" }),
      "ws://b.example/x/chat?try=1&cursors=0",
    );
  });

  it("a URL with a scheme is not resolved; the fragment is left out", async () => {
    const page = { baseURI: "https://a.example/", href: "https://a.example/" };
    assert.equal(await askedFor("ws://c.example/chat#top", page), "ws://c.example/chat?try=1&cursors=0");
  });

  it("a relative URL is refused with a TypeError without a page", () => {
    assert.throws(() => connect("/chat"), TypeError);
  });
});
