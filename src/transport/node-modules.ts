// Modules of Node that a server loads when it first needs them: they are a quarter of what `node:http` needs to start
// (docs/decisions/0064). `process.getBuiltinModule` returns at once, as `import` at the top of a file does.

import type * as Crypto from "node:crypto";
import type * as Zlib from "node:zlib";

let crypto: typeof Crypto | undefined;
let zlib: typeof Zlib | undefined;

/** node:crypto, loaded with the first WebSocket, session or group. */
export function nodeCrypto(): typeof Crypto {
  crypto ??= process.getBuiltinModule("node:crypto");
  return crypto;
}

/** node:zlib, loaded with the first message that is compressed. */
export function nodeZlib(): typeof Zlib {
  zlib ??= process.getBuiltinModule("node:zlib");
  return zlib;
}
