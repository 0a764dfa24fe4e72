// @ts-check
// Runs Autobahn|Testsuite against conformance/server.js, with `wstest` where it is on the PATH, else with its Docker image,
// and says which cases did not pass. Some ten minutes. The HTML reports are in conformance/reports.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

const SPEC = "conformance/fuzzingclient.json";
const IMAGE = "crossbario/autobahn-testsuite";
const PASSED = ["OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"];

/** @returns {[command: string, ...args: string[]]} */
function judge() {
  if (spawnSync("wstest", ["--help"]).status === 0) return ["wstest", "-m", "fuzzingclient", "-s", SPEC];
  if (spawnSync("docker", ["info"]).status === 0) {
    const folder = `${process.cwd()}/conformance`;
    return [
      "docker",
      "run",
      "--rm",
      "--network=host",
      "-v",
      `${folder}:/conformance`,
      "-w",
      "/",
      IMAGE,
      "wstest",
      "-m",
      "fuzzingclient",
      "-s",
      SPEC,
    ];
  }
  console.error("neither wstest (pip install autobahntestsuite) nor a running Docker was found");
  process.exit(1);
}

const [command, ...args] = judge();
const server = spawn(process.execPath, ["conformance/server.js"], { stdio: ["ignore", "pipe", "inherit"] });
await once(server.stdout, "data");
const [status] = await once(spawn(command, args, { stdio: "inherit" }), "exit");
server.kill();
if (status !== 0) process.exit(1);

/** @type {Record<string, Record<string, { behavior: string, behaviorClose: string }>>} */
const reports = JSON.parse(readFileSync("conformance/reports/index.json", "utf8"));
for (const [agent, cases] of Object.entries(reports)) {
  const bad = Object.entries(cases).filter(
    ([, { behavior, behaviorClose }]) => !PASSED.includes(behavior) || !PASSED.includes(behaviorClose),
  );
  console.log(`${agent}: ${Object.keys(cases).length} cases, ${bad.length} not passed`);
  for (const [name, { behavior, behaviorClose }] of bad) console.log(`  ${name}: ${behavior}, close ${behaviorClose}`);
  if (bad.length > 0) process.exitCode = 1;
}
