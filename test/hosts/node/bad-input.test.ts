// Mistakes in the use of `attach`: each has an error with a stable code that says what to do, and none ends the process.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createNetServer } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { ChannelError, openSession, withChannel } from "../../../src/index.ts";
import { type Attached, attach } from "../../../src/node.ts";
import { attaching } from "../../support/attached.ts";
import { request } from "../../support/serving.ts";
import { until } from "../../support/wait.ts";
import { upgradeRequest } from "../../support/ws-client.ts";

type Route = (attached: Attached, req: IncomingMessage, res: ServerResponse) => unknown;

/** The error that a route throws for a request. */
async function thrownBy(t: TestContext, route: Route, text = "GET /live"): Promise<ChannelError> {
  const errors: unknown[] = [];
  const site = await attaching(t, (attached) => async (req, res) => {
    try {
      await route(attached, req, res);
    } catch (error) {
      errors.push(error);
      if (!res.headersSent) res.statusCode = 500;
      res.end();
    }
  });
  const client = await site.connect();
  client.write(request(text));
  await until(() => errors.length === 1, "the route throws");
  assert.ok(errors[0] instanceof ChannelError);
  return errors[0];
}

describe("request() of what attach returned", () => {
  it("throws NOT_OUR_REQUEST for the objects of a framework, and names those to pass", async (t) => {
    for (const wrong of [undefined, null, {}, { raw: {} }, "GET /"]) {
      const error = await thrownBy(t, (attached, _, res) => attached.request(wrong as IncomingMessage, res));
      assert.equal(error.code, "NOT_OUR_REQUEST");
      assert.match(error.message, /Fastify: request\.raw, reply\.raw; Koa: ctx\.req, ctx\.res/);
    }
    const error = await thrownBy(t, (attached, req) => attached.request(req, {} as ServerResponse));
    assert.equal(error.code, "NOT_OUR_REQUEST");
  });

  it("throws NOT_OUR_REQUEST for a request of another server", async (t) => {
    const other = await attaching(t, () => (_, res) => void res.end("other"));
    const error = await thrownBy(t, (_, req, res) => other.attached.request(req, res));
    assert.equal(error.code, "NOT_OUR_REQUEST");
    assert.match(error.message, /another server's: attach to that one as well/);
  });

  it("throws NOT_OUR_REQUEST for a request of a server that nothing is attached to", async (t) => {
    const { attached } = await attaching(t, () => () => {});
    const errors: unknown[] = [];
    const plain = createServer((req, res) => {
      try {
        attached.request(req, res);
      } catch (error) {
        errors.push(error);
        res.end();
      }
    });
    t.after(() => plain.close());
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    await fetch(`http://127.0.0.1:${(plain.address() as { port: number }).port}/`, {
      headers: { connection: "close" },
    });
    assert.equal((errors[0] as ChannelError).code, "NOT_OUR_REQUEST");
  });

  it("takes a request of a connection that was open before attach", async (t) => {
    const state: { attached?: Attached } = {};
    const http = createServer((req, res) => {
      if (state.attached === undefined) res.end("early");
      else withChannel(state.attached.request(req, res), (channel) => void channel.send("late"));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    t.after(async () => {
      await state.attached?.stop();
      http.closeAllConnections();
      http.close();
    });
    const { RawClient } = await import("../../support/raw-client.ts");
    const client = await RawClient.connect(t, { port: (http.address() as { port: number }).port });
    client.write(request("GET /"));
    assert.equal((await client.response()).text, "early");
    state.attached = attach(http, { upgrades: [] });
    client.write(request("GET /"));
    assert.equal((await client.response()).text, "late");
  });

  it("throws ALREADY_ANSWERED where it was called for this exchange before", async (t) => {
    const error = await thrownBy(t, (attached, req, res) => {
      attached.request(req, res);
      attached.request(req, res);
    });
    assert.equal(error.code, "ALREADY_ANSWERED");
    assert.match(error.message, /use what it returned/);
  });

  it("throws ALREADY_ANSWERED where the response has begun, or has ended", async (t) => {
    for (const begin of [
      (res: ServerResponse) => res.writeHead(200),
      (res: ServerResponse) => res.write("x"),
      (res: ServerResponse) => res.end(),
    ]) {
      const error = await thrownBy(t, (attached, req, res) => {
        begin(res);
        attached.request(req, res);
      });
      assert.equal(error.code, "ALREADY_ANSWERED");
      assert.match(error.message, /before anything is sent/);
    }
  });

  it("returns a request that is over where the client has left, opens no channel for it, and does not delay a stop", async (t) => {
    const opened: unknown[] = [];
    const closed: number[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      res.on("close", () => {
        const channel = withChannel(attached.request(req, res), (own) => {
          opened.push(own.isOpen);
          own.onClose(({ code }) => void closed.push(code));
        });
        opened.push(channel.isOpen);
      });
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await new Promise((resolve) => setTimeout(resolve, 50));
    client.destroy();
    await until(() => opened.length > 0 && closed.length > 0, "the route has asked");
    assert.equal(opened.at(-1), false);
    assert.deepEqual(closed, [1001]);
    await site.attached.stop({ graceMs: Number.POSITIVE_INFINITY });
  });
});

describe("a body that a parser has read before", () => {
  const POST = "POST /live HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody";
  const read = async (req: IncomingMessage): Promise<string> => {
    let text = "";
    for await (const part of req) text += part;
    return text;
  };

  it("is BODY_USED where it is needed, which says to pass it or to move the route", async (t) => {
    const errors: ChannelError[] = [];
    const site = await attaching(t, (attached) => async (req, res) => {
      await read(req);
      const asked = attached.request(req, res);
      await asked.text().catch((thrown) => errors.push(thrown));
      withChannel(asked, (channel) => void channel.send("still answered"));
    });
    const client = await site.connect();
    client.write(POST.replace("\r\n", "\r\nHost: x\r\n"));
    assert.equal((await client.response()).text, "still answered");
    assert.equal(errors[0]?.code, "BODY_USED");
    assert.match(errors[0]!.message, /\{ body: req\.body \}.*move the route before the parser/);
  });

  for (const [what, given] of [
    ["text", "body"],
    ["bytes", Buffer.from("body")],
    ["an ArrayBuffer", new TextEncoder().encode("body").buffer],
  ] as const) {
    it(`is read from what the application passes as ${what}`, async (t) => {
      const site = await attaching(t, (attached) => async (req, res) => {
        await read(req);
        const asked = attached.request(req, res, { body: given });
        const text = await asked.text();
        withChannel(asked, (channel) => void channel.send(text));
      });
      const client = await site.connect();
      client.write(POST.replace("\r\n", "\r\nHost: x\r\n"));
      assert.equal((await client.response()).text, "body");
    });
  }

  it("is the JSON of a value that a parser has made of it", async (t) => {
    const site = await attaching(t, (attached) => async (req, res) => {
      const asked = attached.request(req, res, { body: JSON.parse(await read(req)) });
      const value = await asked.json();
      withChannel(asked, (channel) => void channel.send(JSON.stringify(value)));
    });
    const client = await site.connect();
    client.write(request("POST / HTTP/1.1\r\nContent-Length: 12", '{ "a":[1,2]}'));
    assert.equal((await client.response()).text, '{"a":[1,2]}');
  });

  it("is taken from request.body by itself, where a parser of Express has left text there", async (t) => {
    const site = await attaching(t, (attached) => {
      const own = attached.listener(async (asked) => `got ${await asked.text()}`);
      return async (req, res) => {
        (req as { body?: unknown }).body = await read(req);
        own(req, res);
      };
    });
    const client = await site.connect();
    client.write(POST.replace("\r\n", "\r\nHost: x\r\n"));
    assert.equal((await client.response()).text, "got body");
  });

  it("fails a session's POST with 500 and a report, and no more", async (t) => {
    const site = await attaching(t, (attached) => async (req, res) => {
      await read(req);
      openSession(attached.request(req, res), {});
    });
    const poll = await site.connect();
    poll.write(request("GET /?mode=poll"));
    const token = /"session":"([^"]+)"|(?:^|\s)o?\S*?([\w-]{20,})/m.exec((await poll.response()).text);
    assert.ok(token !== null);
    const client = await site.connect();
    client.write(request(`POST /?session=${token[1] ?? token[2]}&from=1 HTTP/1.1\r\nContent-Length: 4`, "data"));
    assert.equal((await client.response()).status, 500);
    assert.deepEqual(
      site.takeReports().map(({ error }) => (error as ChannelError).code),
      ["BODY_USED"],
    );
  });
});

describe("a listener", () => {
  it("reports a response that has begun, and throws nothing into the server", async (t) => {
    const site = await attaching(t, (attached) => {
      const own = attached.listener(() => "never");
      return (req, res) => {
        res.writeHead(200);
        own(req, res);
        res.end("the application's");
      };
    });
    assert.equal((await site.request("GET /")).text, "the application's");
    assert.deepEqual(
      site.takeReports().map(({ error, source }) => [(error as ChannelError).code, source]),
      [["ALREADY_ANSWERED", "handler"]],
    );
  });

  it("reports a request of another server, and answers 500", async (t) => {
    const other = await attaching(t, () => () => {});
    const site = await attaching(t, () => other.attached.listener(() => "never"));
    assert.equal((await site.request("GET /")).status, 500);
    assert.deepEqual(
      other.takeReports().map(({ error }) => (error as ChannelError).code),
      ["NOT_OUR_REQUEST"],
    );
  });

  it("needs a handler, or an object with fetch", async (t) => {
    const { attached } = await attaching(t, () => () => {});
    for (const wrong of [undefined, null, 5, {}, { fetch: 5 }]) {
      assert.throws(() => attached.listener(wrong as never), { code: "BAD_OPTION" });
    }
  });
});

describe("other code that answers an exchange of ours", () => {
  it("is reported, and the channel ends, where it ends the response", async (t) => {
    const closed: number[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      withChannel(attached.request(req, res), (channel) => channel.onClose(({ code }) => void closed.push(code)));
      // Koa does so where `ctx.respond` was not set to false.
      res.statusCode = 404;
      res.end("Not Found");
    });
    assert.equal((await site.request("GET /")).text, "Not Found");
    await until(() => closed.length === 1, "the close handler has run");
    const [report] = site.takeReports();
    assert.equal((report!.error as ChannelError).code, "ALREADY_ANSWERED");
    assert.match(String(report?.error), /Koa: ctx\.respond = false/);
  });

  it("is no mistake where a route has asked for its request and opened no channel", async (t) => {
    const site = await attaching(t, (attached) => (req, res) => {
      const asked = attached.request(req, res);
      res.statusCode = asked.isWebSocket ? 401 : 403;
      res.end(asked.path);
    });
    assert.deepEqual((await site.request("GET /a")).status, 403);
    const client = await site.connect();
    client.write(upgradeRequest("/b"));
    const { status, text } = await client.response();
    assert.deepEqual([status, text], [401, "/b"]);
    await client.ended();
    await until(() => site.attached.stats().connections === 0, "nothing is open");
    assert.equal(site.attached.stats().responses["4xx"], 2);
    await site.attached.stop({ graceMs: Number.POSITIVE_INFINITY });
  });

  it("makes a send throw ALREADY_ANSWERED where it has only begun the response", async (t) => {
    const errors: unknown[] = [];
    const site = await attaching(t, (attached) => (req, res) => {
      withChannel(attached.request(req, res), (channel) => {
        res.write("theirs");
        try {
          channel.send("ours");
        } catch (error) {
          errors.push(error);
        }
        channel.terminate();
      });
    });
    const client = await site.connect();
    client.write(request("GET /"));
    await client.takeRest();
    assert.equal((errors[0] as ChannelError).code, "ALREADY_ANSWERED");
  });
});

describe("attach", () => {
  it("throws ALREADY_ATTACHED for a server that has channels, until they are stopped", async (t) => {
    const http = createServer();
    const first = attach(http, { upgrades: "/live" });
    assert.throws(() => attach(http, { upgrades: "/other" }), { code: "ALREADY_ATTACHED" });
    await first.stop();
    const second = attach(http, { upgrades: "/live" });
    t.after(() => second.stop());
    assert.equal(http.listenerCount("upgrade"), 1);
  });

  it("needs to be told which upgrades are its own", () => {
    for (const options of [{}, { upgrades: undefined }]) {
      assert.throws(() => attach(createServer(), options as never), {
        code: "BAD_OPTION",
        message: /attach needs upgrades.*\[\] for no WebSockets/,
      });
    }
    for (const upgrades of ["live", "", "/a?b", ["/a", "b"], 5, null, {}]) {
      assert.throws(() => attach(createServer(), { upgrades } as never), {
        code: "BAD_OPTION",
        message: /upgrades is .*; it must be a path that begins with "\/"/,
      });
    }
  });

  it("refuses an option that belongs to the host, and names the host's own", () => {
    for (const [option, value, instead] of [
      ["port", 8080, /server\.listen/],
      ["http2", true, /http2\.createSecureServer/],
      ["tls", {}, /https\.createServer/],
      ["maxConnections", 5, /server\.maxConnections/],
      ["upgrade", () => {}, /middleware before the route/],
      ["serverHeader", "x", /response\.setHeader/],
    ] as const) {
      assert.throws(() => attach(createServer(), { upgrades: "/", [option]: value } as never), {
        code: "BAD_OPTION",
        message: instead,
      });
    }
    assert.throws(() => attach(createServer(), { upgrades: "/", maxMessageByte: 5 } as never), { code: "BAD_OPTION" });
    assert.throws(() => attach(createServer(), { upgrades: "/", maxMessageBytes: -5 } as never), {
      code: "BAD_OPTION",
    });
  });

  it("needs a server of node:http, and says where frameworks have it", () => {
    // Applications of Express and Koa are emitters that listen, a server of node:net as well.
    const express = Object.assign(() => {}, EventEmitter.prototype, { listen() {} });
    const koa = Object.assign(new EventEmitter(), { listen() {} });
    for (const wrong of [undefined, null, {}, () => {}, 80, express, koa, createNetServer()]) {
      assert.throws(() => attach(wrong as never, { upgrades: "/" }), { code: "BAD_OPTION", message: /app\.server/ });
    }
  });
});
