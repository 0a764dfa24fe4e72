// @ts-check
// Everything that must be true before a version is published and that can be seen without running the tests.
import { PLACEHOLDER, repositoryOf } from "./repository.js";

/** https://semver.org, without build metadata, which npm drops. */
const VERSION = /^(\d+)\.(\d+)\.(\d+)(?:-([a-z]+)\.(\d+))?$/;

/**
 * A line for each reason not to publish.
 * @param {object} facts
 * @param {{ version: string, repository: { url: string } }} facts.manifest
 * @param {{ version: string }} facts.lock
 * @param {string} facts.changelog
 * @param {string} facts.changed the output of `git status --porcelain`
 * @param {string} facts.head the commit that would be published
 * @param {ReadonlyMap<string, string>} facts.tags the tags and their commits
 * @param {boolean} facts.isLlmsCurrent
 */
export function releaseFaults({ manifest, lock, changelog, changed, head, tags, isLlmsCurrent }) {
  const { version } = manifest;
  const faults = [];
  if (!VERSION.test(version)) faults.push(`package.json: ${version} is not a version such as 1.2.3 or 1.2.3-rc.1`);
  if (lock.version !== version) faults.push(`package-lock.json has version ${lock.version}: npm install`);
  if (repositoryOf(manifest) === PLACEHOLDER) {
    faults.push(`package.json: ${PLACEHOLDER} is a placeholder: node scripts/repository.js ADDRESS`);
  }
  faults.push(...changelogFaults(changelog, version));
  if (changed !== "") faults.push(`the working tree is not clean:\n${changed.trimEnd()}`);
  const tagged = tags.get(`v${version}`);
  if (tagged !== undefined && tagged !== head) faults.push(`the tag v${version} is at another commit: ${tagged}`);
  for (const tag of tags.keys()) {
    const other = tag.slice(1);
    if (VERSION.test(other) && VERSION.test(version) && compareVersions(other, version) > 0) {
      faults.push(`${tag} is a later version than ${version}`);
    }
  }
  if (!isLlmsCurrent) faults.push("llms.txt is not up to date: npm run llms");
  return faults;
}

/** @param {string} changelog @param {string} version */
function changelogFaults(changelog, version) {
  const [, newest = "", when = "", text = ""] =
    /^## (\S+) \(([^)]*)\)\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(changelog) ?? [];
  if (newest !== version) return [`CHANGELOG.md begins with ${newest || "no version"}, not with ${version}`];
  return [
    ...(/^\d{4}-\d\d-\d\d$/.test(when) ? [] : [`CHANGELOG.md: ${version} has no date but "${when}"`]),
    ...(/^- /m.test(text) ? [] : [`CHANGELOG.md: nothing is written under ${version}`]),
  ];
}

/** Negative if a comes before b. A pre-release comes before its version. @param {string} a @param {string} b */
export function compareVersions(a, b) {
  const [, ...left] = VERSION.exec(a) ?? [];
  const [, ...right] = VERSION.exec(b) ?? [];
  for (const at of [0, 1, 2]) if (left[at] !== right[at]) return Number(left[at]) - Number(right[at]);
  if (left[3] === undefined || right[3] === undefined)
    return Number(right[3] !== undefined) - Number(left[3] !== undefined);
  return left[3].localeCompare(right[3]) || Number(left[4]) - Number(right[4]);
}

/** The tag under which npm installs a version: pre-releases only for those who ask for `next`. @param {string} version */
export function distTagOf(version) {
  return version.includes("-") ? "next" : "latest";
}
