// `runProcesses` with real processes: how workers start, die, are replaced and stop.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { GroupMember, isAlive, ProcessesService, signal } from "../support/processes-service.ts";
import { until, untilAsync } from "../support/wait.ts";

describe("runProcesses", () => {
  it("runs the function in each worker, all of them on one port, and shares the groups", async (t) => {
    const service = await ProcessesService.start(t, { count: 3 });
    const pids = new Set<string>();
    for (let n = 0; n < 30; n++) pids.add(await service.get("/pid"));
    assert.deepEqual([...pids].map(Number).toSorted(), (await service.pids()).toSorted());
    assert.equal(pids.size, 3);
    const all = await GroupMember.openAll(t, service, 6);
    for (const [n, { socket }] of all.entries()) socket.send(`from ${n}`);
    await until(() => all.every(({ heard }) => heard.length === all.length), "all have heard all");
    for (const { heard } of all) assert.deepEqual(heard, all[0]!.heard, "in one order");
    const present = (await service.get("/present")).split(",").map(Number);
    assert.deepEqual([...new Set(present)].toSorted(), (await service.pids()).toSorted());
    service.tell("stop");
    await service.said("all stopped");
    assert.equal(await service.exit(), 0);
    assert.equal(service.errors, "");
  });

  it("replaces a worker that is killed, and its members are gone", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const before = await service.pids();
    const members = await GroupMember.openAll(t, service, 8);
    const present = async (): Promise<string> =>
      (await service.get("/present").catch(() => "")).split(",").toSorted().join();
    const pidsOf = (some: readonly GroupMember[]): string =>
      some
        .map(({ pid }) => String(pid))
        .toSorted()
        .join();
    await untilAsync(async () => (await present()) === pidsOf(members), "all are present");
    const living = members.filter(({ pid }) => pid !== before[0]);
    assert.ok(living.length < members.length);
    signal(before[0]!, "SIGKILL");
    await untilAsync(async () => (await present()) === pidsOf(living), "those of the killed worker are gone");
    await service.said("listens", 3);
    assert.match(String(await service.said("died")), /SIGKILL/);
    await untilAsync(async () => (await service.pids()).length === 2, "there are two again");
    assert.ok(!(await service.pids()).includes(before[0]!));
  });

  it("goes on when a worker was asked to end by a signal of its own: it stops in order, and is replaced", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const [first] = await service.pids();
    signal(first!, "SIGTERM");
    await service.said("listens", 3);
    assert.deepEqual(service.events("died"), []);
    // A Ctrl-C of a terminal reaches all: the first process decides.
    for (const pid of await service.pids()) signal(pid, "SIGINT");
    await service.get("/pid");
    assert.equal((await service.pids()).length, 2);
  });

  it("rejects, and ends all, when the function fails at the first start: it is not tried again", async (t) => {
    const service = new ProcessesService(t, { count: 2, fails: "always" });
    assert.equal(await service.exit(), 1);
    assert.match(service.errors, /a worker did not start: Error: the function fails/);
    assert.ok(service.begun.length <= 2);
    assert.deepEqual(service.begun.filter(isAlive), []);
  });

  it("rejects when a worker ends before its function has returned", async (t) => {
    const service = new ProcessesService(t, { count: 2, exits: true });
    assert.equal(await service.exit(), 1);
    assert.match(service.errors, /ended before it had started: code 3/);
    assert.ok(service.begun.length <= 2);
  });

  it("says what is missing when the function returns nothing that can be stopped", async (t) => {
    const service = new ProcessesService(t, { count: 1, returns: "nothing" });
    assert.equal(await service.exit(), 1);
    assert.match(service.errors, /must return what is to be stopped: the server, or an object with stop\(\)/);
  });

  it("tries again and again to replace a worker whose function fails later, while the others go on", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, fails: "later" });
    const [first, second] = await service.pids();
    service.tell("fail later");
    await service.said("set");
    signal(first!, "SIGKILL");
    await until(() => service.begun.length >= 5, "three attempts");
    assert.ok(service.events("died").filter(([, , why]) => String(why).includes("the function fails")).length >= 2);
    assert.equal(await service.get("/pid"), String(second));
  });

  for (const name of ["SIGTERM", "SIGINT"] as const) {
    it(`stops all in order on ${name}, and ends with 0`, async (t) => {
      const service = await ProcessesService.start(t, { count: 2 });
      const all = await GroupMember.openAll(t, service, 4);
      const codes = all.map(
        ({ socket }) => new Promise<number>((resolve) => socket.once("close", (code) => resolve(code))),
      );
      service.signal(name);
      assert.deepEqual(await Promise.all(codes), [1001, 1001, 1001, 1001]);
      assert.equal(await service.exit(), 0);
      assert.deepEqual(service.begun.filter(isAlive), []);
    });
  }

  it("kills a worker that does not stop: stop always ends", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, stopMs: 300 });
    const pids = await service.pids();
    signal(pids[0]!, "SIGSTOP");
    service.tell("stop");
    await service.said("all stopped");
    assert.deepEqual(pids.filter(isAlive), []);
    assert.equal(await service.exit(), 0);
  });

  it("ends the workers when the first process is killed", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const pids = await service.pids();
    assert.deepEqual(pids.filter(isAlive), pids);
    service.signal("SIGKILL");
    await service.exit();
    await until(() => pids.filter(isAlive).length === 0, "the workers have ended");
  });

  it("replaces all workers one after the other, with those that start before those that stop", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const before = await service.pids();
    let isOver = false;
    let answers = 0;
    const asking = (async () => {
      for (; !isOver; answers++) assert.match(await service.get("/pid"), /^\d+$/);
    })();
    await service.replace();
    isOver = true;
    await asking;
    assert.ok(answers > 0);
    const after = await service.pids();
    assert.equal(after.length, 2);
    assert.deepEqual(
      after.filter((pid) => before.includes(pid)),
      [],
    );
    assert.deepEqual(service.events("died"), []);
  });

  it("keeps the old workers when a new one does not start", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, fails: "later" });
    const before = await service.pids();
    service.tell("fail later");
    await service.said("set");
    service.tell("replace");
    assert.match(String(await service.said("not replaced")), /the function fails/);
    assert.deepEqual(await service.pids(), before);
  });

  it("replaces a worker that dies while the others are starting", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, startMs: [0, 1000], diesEarly: true });
    assert.match(String(await service.said("died")), /code 4/);
    await service.said("listens", 3);
    assert.equal((await service.pids()).length, 2);
  });

  it("has as many workers as before when one dies while its successor is starting", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, startMs: [0, 0, 1000] });
    const [first] = await service.pids();
    const replaced = service.replace();
    await service.said("begins", 3);
    signal(first!, "SIGKILL");
    assert.match(String(await service.said("died")), /SIGKILL/);
    await replaced;
    assert.equal((await service.pids()).length, 2);
    assert.equal(service.begun.length, 4);
  });

  it("replaces one that dies while its successor is starting, also when that does not start", async (t) => {
    const service = await ProcessesService.start(t, { count: 1, startMs: [0, 1000], fails: "later" });
    const [first] = await service.pids();
    service.tell("fail later");
    await service.said("set");
    service.tell("replace");
    await service.said("begins", 2);
    service.tell("fail no more");
    signal(first!, "SIGKILL");
    assert.match(String(await service.said("not replaced")), /the function fails/);
    await service.said("listens", 2);
    assert.equal((await service.pids()).length, 1);
  });

  it("replaces a worker that waits for its next attempt as well, at once", async (t) => {
    const service = await ProcessesService.start(t, { count: 2, fails: "later" });
    const [first] = await service.pids();
    service.tell("fail later");
    await service.said("set");
    signal(first!, "SIGKILL");
    // The next attempt waits for 1.6 s.
    await service.said("died", 6);
    service.tell("fail no more");
    await service.said("set", 2);
    await service.replace();
    assert.equal((await service.pids()).length, 2);
    assert.equal(service.events("listens").length, 4);
  });

  it("goes on when the system does not let it start a process, and tries again", async (t) => {
    const service = await ProcessesService.start(t, { count: 2 });
    const [first, second] = await service.pids();
    service.tell("cannot fork");
    await service.said("set");
    signal(first!, "SIGKILL");
    assert.match(String(await service.said("died", 3)), /null bytes/);
    assert.equal(await service.get("/pid"), String(second));
    service.tell("can fork");
    await service.said("listens", 3);
    assert.equal((await service.pids()).length, 2);
  });

  it("stops in order a worker that is asked while it loads the program", async (t) => {
    const service = new ProcessesService(t, { count: 2, loadMs: 500, stopMs: 5000 });
    await service.said("loads", 2);
    service.signal("SIGTERM");
    assert.equal(await service.exit(), 0);
    assert.equal(service.events("stops").length, 2);
  });

  it("refuses a folder for temporary files whose path leaves no room for that of a socket", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "unichannel-test-"));
    t.after(() => rm(folder, { recursive: true }));
    const long = join(folder, "x".repeat(95 - folder.length - 1));
    await mkdir(long);
    const service = new ProcessesService(t, { count: 1 }, { TMPDIR: long });
    assert.equal(await service.exit(), 1);
    assert.match(
      service.errors,
      /a Unix socket at .* set the environment variable TMPDIR to a folder with a shorter path/,
    );
    assert.deepEqual(await readdir(long), []);
  });

  it("leaves no file when the first process ends by an exception", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "unichannel-test-"));
    t.after(() => rm(folder, { recursive: true }));
    const service = new ProcessesService(t, { count: 1, returns: "an object" }, { TMPDIR: folder });
    await service.said("started");
    assert.equal((await readdir(folder)).length, 1);
    service.tell("throw");
    assert.equal(await service.exit(), 1);
    assert.deepEqual(await readdir(folder), []);
  });
});
