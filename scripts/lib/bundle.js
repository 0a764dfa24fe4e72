// @ts-check
// The code of the published package: for each entry one file at the path that `exports` names, and what entries share in a few files
// beside them. The repository has some 300 modules, and to find, read and link them took half of a server's start: decision 62.
import { relative, resolve } from "node:path";
import { rollup } from "rollup";
import { parseAst } from "rollup/parseAst";
import { toOneByte } from "./one-byte.js";

/** The entries that browsers load, too. */
const CLIENTS = ["dist/src/client/index.js", "dist/src/client/react.js", "dist/src/client/tabs/index.js"];

/** The entry that every server imports. */
const SERVER = "dist/src/index.js";

/** The program of the inspector's page, which browsers load as it is. */
const PAGE = "dist/src/inspector/page/main.js";

/**
 * The texts of the server's errors: the only module whose import alone has an effect. Beside the server's file, so that a bundler can
 * leave out all that an application does not use of it: `jsonMessages` in a page would bring the server along.
 */
const ERRORS = "dist/src/base/errors.js";

const SHARED = "dist/src/shared";

/** @typedef {{ readonly path: string, readonly code: string, readonly modules: readonly string[] }} File */

/**
 * Returns the files, each with the paths of the modules that are in it.
 * @param {readonly string[]} entries
 * @returns {Promise<readonly File[]>}
 */
export async function bundle(entries) {
  const [ofEntries, page] = await Promise.all([files(entries, inParts), files([PAGE])]);
  return [...ofEntries, ...page];
}

/**
 * The file of each module. A server loads one file at its start, and another with all that it has in common with the client, so that no
 * page loads a server. The client's own modules stay as they are: the bundler of a page leaves out a module that the page does not use,
 * but not every class in a larger file. All else is divided by which entries need it, and a module that is imported when it is first
 * needed stays a file of its own.
 * @returns {import("rollup").GetManualChunk}
 */
function inParts() {
  /** @type {{ clients: ReadonlySet<string>, server: ReadonlySet<string> } | undefined} */
  let loaded;
  return (id, { getModuleInfo }) => {
    loaded ??= { clients: closure(CLIENTS, getModuleInfo), server: closure([SERVER], getModuleInfo) };
    const path = relative(".", id);
    if (path === ERRORS) return "errors";
    const isClients = loaded.clients.has(path);
    if (loaded.server.has(path)) return isClients ? "common" : "server";
    return isClients && !CLIENTS.includes(path) ? path.replace(/\.js$/, "") : undefined;
  };
}

/**
 * @param {readonly string[]} entries
 * @param {typeof inParts} [parts] without it all shared modules are divided by which entries need them
 * @returns {Promise<File[]>}
 */
async function files(entries, parts) {
  const build = await rollup({
    input: Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ""), path])),
    external: (id) => !/^[./]/.test(id),
    preserveEntrySignatures: "strict",
  });
  try {
    const { output } = await build.generate({
      format: "es",
      manualChunks: parts?.(),
      chunkFileNames: ({ name }) => (name.startsWith("dist/") ? `${name}.js` : `${SHARED}/${name}.js`),
      hoistTransitiveImports: false,
    });
    return output.map((file) => {
      if (file.type !== "chunk") throw new Error(`${file.fileName} is no code`);
      const code = toOneByte(file.code, parseAst);
      return { path: file.fileName, code, modules: file.moduleIds.map((id) => relative(".", id)) };
    });
  } finally {
    await build.close();
  }
}

/** The modules that are loaded with these entries. @param {readonly string[]} entries @param {import("rollup").GetModuleInfo} getModuleInfo */
function closure(entries, getModuleInfo) {
  const found = new Set(entries);
  for (const path of found) {
    for (const id of getModuleInfo(resolve(path))?.importedIds ?? []) found.add(relative(".", id));
  }
  return found;
}
