// The programs of docs/how-to/groups.md run as they are printed, and their commands do what they say.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Connection, connect } from "../../src/client/index.ts";
import { needs } from "../support/needs.ts";
import { startRedis } from "../support/redis.ts";
import { until } from "../support/wait.ts";
import { WsClient } from "../support/ws-client.ts";
import { block, program, start } from "./programs.ts";
import { readServer } from "./reader.ts";

const PAGE = "groups";

function opened(t: TestContext, url: string): Connection & { got: string[] } {
  const connection = connect(url, { carriers: ["sse"] });
  t.after(() => connection.close());
  const got: string[] = [];
  connection.onMessage((message) => got.push(String(message)));
  return Object.assign(connection, { got });
}

describe("the guide to groups", { skip: needs("curl") }, () => {
  it("tells all members but the sender, and all of them what the server says", async (t) => {
    const { server, listen } = await readServer(t, PAGE, "setInterval(() => store", (text) =>
      text.replace("5000", "100"),
    );
    const output = listen("Listen");
    await until(() => server.stats().channels.sse === 1, "it listens");
    const sender = await WsClient.open(t, { port: server.port });
    sender.send("hello");
    await until(() => /^data: ?hello$/m.test(output()), "the other one has it");
    await until(() => /^data: ?tick$/m.test(output()), "the server's message has come");
    assert.equal(await sender.message(), "tick");
  });

  it("has one server for every kind of client, of which none loses anything", async (t) => {
    const { server, sh, listen } = await readServer(t, PAGE, 'case "/session"');
    const session = opened(t, `${server.url}/session`);
    await session.opened;
    const poll = start(t, block(PAGE, "encodeURIComponent").replace("9090", `${server.port}`));
    const events = listen("Listen");
    await until(() => server.stats().channels.sse === 1, "the event stream is open");
    const socket = await WsClient.open(t, { port: server.port }, { path: "/socket" });
    await until(() => server.stats().channels.stream === 1, "the poll is parked");

    const { id } = JSON.parse(await sh("Say")) as { id: string };
    await until(() => session.got.join() === "hello", "the session has it");
    await until(() => events().includes(`id: ${id}`) || events().includes(`id:${id}`), "the event stream has it");
    assert.deepEqual(JSON.parse(String(await socket.message())), { group: "news", id, data: "hello" });
    await poll.printed(/^hello$/m);
    assert.deepEqual(JSON.parse(await sh("All that is kept")).messages, [{ id, data: "hello" }]);

    const late = await WsClient.open(t, { port: server.port }, { path: `/socket?since=${id}` });
    await sh("Say");
    const { id: next } = JSON.parse(String(await late.message())) as { id: string };
    assert.notEqual(next, id);
    const back = await fetch(`${server.url}/events`, {
      headers: { Accept: "text/event-stream", "Last-Event-ID": id },
    });
    const reader = back.body!.getReader();
    let missed = "";
    while (!missed.includes("hello")) missed += Buffer.from((await reader.read()).value!).toString();
    await reader.cancel();
    assert.ok(missed.includes(next));
    await until(() => poll.output().match(/^hello$/gm)?.length === 2, "the next poll has the next one");
  });

  it("tells who comes and goes, and lists who is here", async (t) => {
    const { server, sh, listen, lines } = await readServer(t, PAGE, "onLeave");
    listen("Come");
    await until(() => lines().includes('is here: {"name":"ann"}'), "the server sees ann");
    const bob = opened(t, `${server.url}/?name=bob`);
    const eve = opened(t, `${server.url}/?name=eve`);
    await until(() => bob.got.includes('{"joined":"eve"}'), "bob is told of eve");
    await until(() => lines().includes('is here: {"name":"eve"}'), "the server sees eve");
    const names = (JSON.parse(await sh("Who is here")) as { info: { name: string } }[]).map(({ info }) => info.name);
    assert.deepEqual(names.sort(), ["ann", "bob", "eve"]);
    eve.close();
    await until(() => bob.got.includes('{"left":"eve"}'), "bob is told that eve has left");
    await until(() => lines().includes('has gone: {"name":"eve"}'), "the server, too");
  });

  it("tells two groups at once, counts members, and signs one user out", async (t) => {
    const { server, sh, listen } = await readServer(t, PAGE, "store.disconnect");
    const ann = listen("Come");
    const bob = opened(t, `${server.url}/live?user=bob`);
    const eve = opened(t, `${server.url}/live?user=eve`);
    const ends: number[] = [];
    for (const connection of [bob, eve]) connection.onClose(({ code }) => ends.push(code));
    await until(() => server.stats().sessions.open === 3, "all are here");
    assert.equal(await sh("Count"), "3 members\n");
    await sh("Tell");
    await until(() => bob.got.length === 1, "bob has it");
    await until(() => ann().includes("The final begins"), "ann has it");
    await sh("Sign out");
    await until(() => /4001/.test(ann()), "ann is out");
    await fetch(`${server.url}/close`);
    await sh("Tell");
    await until(() => bob.got.length === 2, "bob is still in one of them");
    await fetch(`${server.url}/ban?user=eve`);
    await until(() => ends.length === 1, "eve is out");
    assert.deepEqual(bob.got, ["The final begins", "The final begins"]);
  });

  it("begins with the first member of a group, and ends with the last", async (t) => {
    const { server, listen } = await readServer(t, PAGE, "onGroupStart", (text) => text.replace("1000", "10"));
    const output = listen("Listen");
    await until(() => /^data: ?\{"group":"gold","price":0\.\d+\}$/m.test(output()), "prices of gold come");
    assert.equal(server.stats().channels.sse, 1);
  });

  it("reaches the members in another process", { skip: needs("redis-server") }, async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const text = program(PAGE, "redisBackplane").replace("6379", `${redis.port}`).replace("9090", "0");
    const [first, second] = [start(t, text), start(t, text)];
    const [[, listening], [, saying]] = [await first.printed(/(http:\S+)$/m), await second.printed(/(http:\S+)$/m)];
    const events = await fetch(listening!, { headers: { Accept: "text/event-stream" } });
    const reader = events.body!.getReader();
    let got = "";
    // The first subscription of a process may begin behind a message of another one.
    while (!got.includes("hello")) {
      await fetch(saying!, { method: "POST", body: "hello" });
      got += Buffer.from((await reader.read()).value!).toString();
    }
    await reader.cancel();
    assert.match(got, /^data: ?hello$/m);
  });

  it("has typed values for all members", async (t) => {
    const { server } = await readServer(t, PAGE, "codec: chat.server");
    const [ann, bob] = [
      await WsClient.open(t, { port: server.port }, { path: "/?name=ann" }),
      await WsClient.open(t, { port: server.port }, { path: "/?name=bob" }),
    ];
    ann.send('{"say":"hello"}');
    for (const each of [ann, bob]) assert.equal(await each.message(), '{"from":"ann","say":"hello"}');
  });

  it("has a message that is encoded once for all watchers", async (t) => {
    const { server, listen } = await readServer(t, PAGE, "prepare(json", (text) => text.replace("1000", "50"));
    const output = listen("Watch");
    await until(() => /^data: ?\{"time":"2/m.test(output()), "an event stream has it");
    const socket = await WsClient.open(t, { port: server.port });
    assert.match(String(await socket.message()), /^\{"time":"2/);
  });
});
