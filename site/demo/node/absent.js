// Modules of Node that the server imports for what a page does not have: sockets, TLS, HTTP/2, files and compression. The demo's server
// has no port, so that nothing calls them; what is called by mistake throws.

/** @param {string} name */
function absent(name) {
  return () => {
    throw new Error(`${name} of Node is not there in a page`);
  };
}

export const createServer = absent("createServer");
export const connect = absent("connect");
export const createSecureContext = absent("createSecureContext");
export const performServerHandshake = absent("performServerHandshake");
export const deflateRawSync = absent("deflateRawSync");
export const inflateRawSync = absent("inflateRawSync");
export const gzipSync = absent("gzipSync");
export const lstat = absent("lstat");
export const unlink = absent("unlink");
export const mkdtemp = absent("mkdtemp");
export const rm = absent("rm");
export const rmSync = absent("rmSync");
export const readFileSync = absent("readFileSync");
export const readdirSync = absent("readdirSync");
export const tmpdir = absent("tmpdir");
export const hostname = absent("hostname");
export const join = absent("join");
export const createHash = absent("createHash");
export const timingSafeEqual = absent("timingSafeEqual");
export const dirname = absent("dirname");
export const isIP = () => 0;
export const constants = {};
export const DEFAULT_MIN_VERSION = "TLSv1.2";
export const DEFAULT_MAX_VERSION = "TLSv1.3";
export class BlockList {}
export class Server {}
export class Socket {}
export class X509Certificate {}
export class ServerResponse {}

/** Nobody listens to what the server reports. */
export const crc32 = absent("crc32");
export const channel = () => ({ hasSubscribers: false, publish() {} });
export const subscribe = () => {};
export const unsubscribe = () => {};
export const debuglog = () => Object.assign(() => {}, { enabled: false });
