// @ts-check
// Checks the lock files: every package has an integrity hash, on every platform, and no registry is named.
// npm leaves hashes out when a lock file is made without its optional packages; `npm ci` would then trust the network.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const FILES = [
  "package-lock.json",
  "bench/package-lock.json",
  "examples/frameworks/package-lock.json",
  "examples/mcp/package-lock.json",
];

/**
 * A line for each package without a hash, or with an address.
 * @param {string} file
 * @param {{ packages: Record<string, { integrity?: string, link?: boolean, resolved?: string }> }} lock
 */
export function faultsOf(file, { packages }) {
  return (
    Object.entries(packages)
      // The rest are folders of this repository: the root, and what a link leads to.
      .filter(([path, { link }]) => path.includes("node_modules/") && !link)
      .flatMap(([path, { integrity, resolved }]) => [
        ...(/^sha512-[\w+/]{86}==$/.test(integrity ?? "") ? [] : [`${file}: ${path} has no sha512 integrity`]),
        ...(resolved === undefined ? [] : [`${file}: ${path} names the registry ${resolved}`]),
      ])
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const faults = FILES.flatMap((file) => faultsOf(file, JSON.parse(readFileSync(file, "utf8"))));
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
}
