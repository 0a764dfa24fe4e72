// @ts-check
// The address of the repository has one place, `repository.url` of package.json. `node scripts/repository.js ADDRESS` sets it,
// and with it everything that is made of it.

/** The address in package.json until the repository has one. A release is refused while it is there. */
export const PLACEHOLDER = "https://github.com/OWNER/unichannel";

/**
 * The fields of package.json that name the repository.
 * @param {string} address
 */
export function repositoryFields(address) {
  if (!/^https:\/\/github\.com\/[\w-]+\/[\w.-]+$/.test(address) || address.endsWith(".git")) {
    throw new Error(`not the address of a repository: ${address}. Write it as https://github.com/OWNER/NAME`);
  }
  return {
    homepage: `${address}#readme`,
    bugs: `${address}/issues`,
    repository: { type: "git", url: `git+${address}.git` },
  };
}

/**
 * The address in a manifest, as a browser opens it.
 * @param {{ repository: { url: string } }} manifest
 */
export function repositoryOf({ repository }) {
  return repository.url.replace(/^git\+/, "").replace(/\.git$/, "");
}
