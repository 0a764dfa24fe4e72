// Request bodies: RFC 9112 §6 and §7, `Expect` of RFC 9110 §10.1.1, and http-kit's tests of uploads.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { ChannelError, type ChannelRequest } from "../../src/index.ts";
import { request, serving } from "../support/serving.ts";
import { deferred, until } from "../support/wait.ts";

const MIB = 1024 * 1024;

/** Length and digest: whether two bodies are the same, in a line. */
function summary(bytes: Uint8Array): string {
  return `${bytes.length} ${createHash("sha1").update(bytes).digest("hex")}`;
}

function content(length: number): Buffer {
  return Buffer.alloc(length, "0123456789abcdefghijklmnopqrstuvwxyz\n");
}

const echo = async (r: ChannelRequest): Promise<string> => summary(await r.bytes());

describe("a request's body", () => {
  for (const size of [1, 127, 4096, 65_535, 65_536, MIB, 8 * MIB]) {
    it(`arrives whole with ${size} bytes`, async (t) => {
      const site = await serving(t, echo);
      const client = await site.connect();
      client.write(request(`POST / HTTP/1.1\r\nContent-Length: ${size}`));
      client.write(content(size));
      assert.equal((await client.response()).text, summary(content(size)));
    });
  }

  it("arrives whole in chunks of 4 MiB together", async (t) => {
    const site = await serving(t, echo);
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked"));
    const all = content(4 * MIB);
    for (let at = 0, size = 1; at < all.length; at += size, size = Math.min(size * 3, 100_000)) {
      const chunk = all.subarray(at, at + size);
      client
        .write(`${chunk.length.toString(16)}\r\n`)
        .write(chunk)
        .write("\r\n");
    }
    client.write("0\r\n\r\n");
    assert.equal((await client.response()).text, summary(all));
  });

  it("arrives whole one byte at a time, and so does its request", async (t) => {
    const site = await serving(t, async (r) => `${r.path} ${await r.text()}`);
    const client = await site.connect();
    const plain = request("POST /slow HTTP/1.1\r\nContent-Length: 5", "hello");
    const chunked = request(
      "POST /chunks HTTP/1.1\r\nTransfer-Encoding: chunked",
      "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n",
    );
    for (const byte of plain + chunked) {
      client.write(byte);
      await new Promise(setImmediate);
    }
    assert.equal((await client.response()).text, "/slow hello");
    assert.equal((await client.response()).text, "/chunks abcde");
  });

  it("is passed through as it is: a multipart form of 100 KB", async (t) => {
    const site = await serving(t, async (r) => `${r.headers.get("content-type")} ${summary(await r.bytes())}`);
    const client = await site.connect();
    const part = `--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\n${"x".repeat(100_000)}\r\n--b--\r\n`;
    client.write(
      request(
        `POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${part.length}`,
        part,
      ),
    );
    assert.equal((await client.response()).text, `multipart/form-data; boundary=b ${summary(Buffer.from(part))}`);
  });

  it("is empty if the request has none, and null as a stream", async (t) => {
    const site = await serving(t, async (r) => JSON.stringify([r.body, await r.text()]));
    assert.equal((await site.request("POST / HTTP/1.1\r\nContent-Length: 0")).text, '[null,""]');
    assert.equal((await site.request("GET /")).text, '[null,""]');
  });

  it("is read as JSON, and rejects with BAD_REQUEST if it is no JSON", async (t) => {
    const site = await serving(t, async (r) => {
      try {
        return JSON.stringify(await r.json());
      } catch (error) {
        assert.ok(error instanceof ChannelError);
        return error.code;
      }
    });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 7", '{"a":1}'));
    assert.equal((await client.response()).text, '{"a":1}');
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 3", "{a}"));
    assert.equal((await client.response()).text, "BAD_REQUEST");
  });

  it("can be read once: BODY_USED afterwards", async (t) => {
    const site = await serving(t, async (r) => {
      const first = await r.text();
      return r.text().catch((error: ChannelError) => `${first} ${error.code}`);
    });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 3", "abc"));
    assert.equal((await client.response()).text, "abc BODY_USED");
  });

  it("rejects with CLIENT_GONE when it never comes whole", async (t) => {
    const failed = deferred<ChannelError>();
    const site = await serving(t, (r) => r.text().catch((error) => void failed.resolve(error)));
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 10", "abc"));
    await until(() => site.server.stats().requests === 1, "the handler has it");
    client.destroy();
    assert.equal((await failed.promise).code, "CLIENT_GONE");
  });

  it("is pulled at its reader's pace: the client's writes stop being taken", async (t) => {
    const gate = deferred();
    const site = await serving(
      t,
      async (r) => {
        let length = 0;
        for await (const part of r.body as unknown as AsyncIterable<Uint8Array>) {
          await gate.promise;
          length += part.length;
        }
        return String(length);
      },
      { maxBodyBytes: 64 * MIB },
    );
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nTransfer-Encoding: chunked"));
    const part = content(256 * 1024);
    const count = await client.clog(() => client.write("40000\r\n").write(part).write("\r\n"));
    gate.resolve();
    client.write("0\r\n\r\n");
    assert.equal((await client.response()).text, String(count * part.length));
  });

  it("is not parsed as the next request when the handler does not read it", async (t) => {
    const site = await serving(t, (r) => r.path);
    const client = await site.connect();
    const hidden = request("GET /hidden");
    client.write(request(`POST /first HTTP/1.1\r\nContent-Length: ${hidden.length}`, hidden));
    client.write(request("GET /second"));
    assert.equal((await client.response()).text, "/first");
    const next = client.isEnded ? undefined : await client.response();
    assert.equal(next?.text, "/second");
  });
});

describe("a body of 2 MB that the handler does not read", () => {
  it("does not delay the answer, and is not read as a request", async (t) => {
    const paths: string[] = [];
    const site = await serving(t, (r) => {
      paths.push(r.path);
      return r.path;
    });
    const client = await site.connect();
    client.write(request("POST /unread HTTP/1.1\r\nContent-Length: 2000000"));
    assert.equal((await client.response()).text, "/unread");
    client.write(request("GET /hidden").repeat(70_000).slice(0, 2_000_000)).write(request("GET /next"));
    await client.until(() => client.isEnded || client.peek().length > 0, "an end or an answer");
    if (client.peek().length > 0) assert.equal((await client.response()).text, "/next");
    assert.ok(!paths.includes("/hidden"));
  });
});

describe("Expect: 100-continue", () => {
  const head = "POST / HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue";

  it("is answered with one 100 before the body, when the handler reads it", async (t) => {
    const site = await serving(t, (r) => r.text());
    const client = await site.connect();
    client.write(request(head));
    assert.equal((await client.head()).status, 100);
    client.write("hello");
    assert.equal((await client.response()).text, "hello");
  });

  it("is answered with the final status alone if that is known first (RFC 9110 §10.1.1)", async (t) => {
    const site = await serving(t, () => ({ status: 403, body: "no" }));
    const client = await site.connect();
    client.write(request(head));
    assert.equal((await client.response()).status, 403);
  });

  it("is answered with 413 for a body over the limit", async (t) => {
    const site = await serving(t, (r) => r.text(), { maxBodyBytes: 4 });
    const client = await site.connect();
    client.write(request(head));
    assert.equal((await client.response()).status, 413);
    await client.ended();
  });

  it("gets no 100 when the body has already come", async (t) => {
    const site = await serving(t, (r) => r.text());
    const client = await site.connect();
    client.write(request(head, "hello"));
    const first = await client.head();
    const final = first.status === 100 ? await client.head() : first;
    assert.equal(final.status, 200);
    assert.equal((await client.chunk())?.toString(), "hello");
  });

  it("is ignored in HTTP/1.0", async (t) => {
    const site = await serving(t, (r) => r.text());
    const client = await site.connect();
    client.write(request("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue", "hello"));
    assert.equal((await client.response()).text, "hello");
  });
});
