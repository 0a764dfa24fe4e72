// A reporter for node:test: one line for each file, failures in full, and at the end their names, why tests were skipped, and the
// totals.
// The very last line is `N passed, N failed, N skipped`.
import { relative } from "node:path";
import { inspect } from "node:util";

/** Reasons that a contract suite gives for a row which its transport cannot have. */
const CAPABILITY = /^needs \w+/;

export default async function* report(source) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const reasons = new Map();
  /** Names of failed tests, with their files. */
  const failures = [];
  let notApplicable = 0;
  let current;
  const finish = () => (current === undefined ? "" : `${lineOf(current)}\n`);
  for await (const { type, data } of source) {
    if (type === "test:stderr") yield data.message;
    if (type !== "test:pass" && type !== "test:fail") continue;
    if (data.file !== current?.file) {
      yield finish();
      current = { file: data.file, passed: 0, failed: 0, skipped: 0, ms: 0 };
    }
    if (data.nesting === 0) current.ms += data.details.duration_ms;
    // A suite has failed because a test in it has.
    if (data.details.type === "suite" && data.details.error?.failureType === "subtestsFailed") continue;
    const isSkipped = data.skip !== undefined && data.skip !== false;
    if (isSkipped) {
      const reason =
        typeof data.skip === "string" && data.skip !== "" ? data.skip : `no reason given by "${data.name}"`;
      if (CAPABILITY.test(reason) && /contract/.test(data.file ?? "")) {
        notApplicable += 1;
        continue;
      }
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    if (data.details.type === "suite" && type === "test:pass" && !isSkipped) continue;
    const isTodo = data.todo !== undefined && data.todo !== false;
    const outcome = isSkipped ? "skipped" : type === "test:fail" && !isTodo ? "failed" : "passed";
    totals[outcome] += 1;
    current[outcome] += 1;
    if (outcome !== "failed") continue;
    failures.push(`${nameOf(data.file)}: ${data.name}`);
    yield `\nfailed: ${data.name}\n${textOf(data.details.error)}\n\n`;
  }
  yield finish();
  yield "\n";
  if (notApplicable > 0) {
    yield `not applicable (capability): ${notApplicable}; CONTRIBUTING.md explains each capability of a transport\n`;
  }
  for (const [reason, count] of [...reasons].sort((a, b) => b[1] - a[1])) yield `skipped: ${count}: ${reason}\n`;
  for (const failure of failures) yield `failed: ${failure}\n`;
  yield `${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`;
}

function lineOf({ file, passed, failed, skipped, ms }) {
  const rest = `${failed > 0 ? `, ${failed} failed` : ""}${skipped > 0 ? `, ${skipped} skipped` : ""}`;
  return `${failed > 0 ? "FAILED" : "ok"} ${nameOf(file)}: ${passed} passed${rest} (${(ms / 1000).toFixed(1)} s)`;
}

function nameOf(file) {
  return file === undefined ? "(no file)" : relative(process.cwd(), file);
}

function textOf(error) {
  const cause = error?.cause ?? error;
  return cause instanceof Error ? inspect(cause) : String(cause);
}
