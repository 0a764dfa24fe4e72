// The behaviour that tests ask for and Bun or Deno lack: each lack is a named capability with its reason, and has its row in

// docs/reference/hosts.md. An assertion is the same on all runtimes.

import { type Runtime, runtime } from "../../src/base/runtime.ts";

type Lack = Partial<Record<Exclude<Runtime, "node">, string>>;

export type Capability =
  | "TLS with pre-shared keys"
  | "errors of a certificate and its key"
  | "the alert of an ALPNCallback that fails"
  | "writes that the system takes at once"
  | "a Unix socket as a file descriptor"
  | "sockets that are closed without an error"
  | "small buffers of the system"
  | "the content type of a Request as it was sent"
  | "bodies that are counted until they are read"
  | "a heap whose garbage is gone after a collection"
  | "clients that notice their end while their writes wait"
  | "resets of a connection that is neither read nor written"
  | "a fetch that decodes deflate"
  | "hostile objects as errors of a stream"
  | "a list of the runtime's own modules that are loaded"
  | "an HTTP/2 stream that is reset or refused alone"
  | "a limit of the memory of an HTTP/2 session"
  | "an end for any frame on an idle stream"
  | "fields of HTTP/2 that are left out"
  | "the bytes of a connection of HTTP/2"
  | "the last bytes of a socket whose two ends end at once";

export const LACKS: Readonly<Record<Capability, Lack>> = {
  "TLS with pre-shared keys": {
    bun: "BoringSSL has none of the PSK ciphers that the tests use",
    deno: "rustls has no PSK ciphers",
  },
  "errors of a certificate and its key": {
    deno: "node:tls takes them unchecked, and fails in the handshake",
  },
  "the alert of an ALPNCallback that fails": {
    deno: "node:tls ends the connection without an alert",
  },
  "writes that the system takes at once": {
    deno: "a socket of node:net takes each write a turn later, so bufferedAmount counts it until then",
  },
  "a Unix socket as a file descriptor": {
    bun: "node:net listens on a descriptor only if it is a TCP socket",
  },
  "sockets that are closed without an error": {
    bun: "node:net reports unfinished writes of a socket that was destroyed as ERR_SOCKET_CLOSED",
  },
  "small buffers of the system": {
    bun: "a client reads 512 KiB at a time, which with the system's buffers is more than the tests leave unsent",
  },
  "the content type of a Request as it was sent": {
    bun: "the type of its Blob and FormData gets a charset",
  },
  "bodies that are counted until they are read": {
    bun: "a stream of Fetch reads ahead of its reader",
    deno: "a stream of Fetch reads ahead of its reader",
  },
  "a heap whose garbage is gone after a collection": {
    bun: "JavaScriptCore scans the stack conservatively and keeps some megabytes",
  },
  "clients that notice their end while their writes wait": {
    bun: "its node:net tells a client of a reset only when the client reads or writes again",
  },
  "resets of a connection that is neither read nor written": {
    deno: "an empty write, which finds them elsewhere, does not fail",
  },
  "a fetch that decodes deflate": {
    deno: "its fetch decodes gzip and br; the bytes of deflate go on as they are, with their field",
  },
  "hostile objects as errors of a stream": {
    deno: "its own streams look at the prototype of an error, and throw what a Proxy throws",
  },
  "a list of the runtime's own modules that are loaded": {
    bun: "its process.moduleLoadList is empty",
    deno: "its process.moduleLoadList is empty",
  },
  "an HTTP/2 stream that is reset or refused alone": {
    deno: "its node:http2 ends the connection for a malformed request and for one stream too many: GOAWAY, PROTOCOL_ERROR",
  },
  "a limit of the memory of an HTTP/2 session": {
    bun: "its node:http2 takes maxSessionMemory and holds more",
    deno: "its node:http2 takes maxSessionMemory and holds more",
  },
  "an end for any frame on an idle stream": {
    bun: "its node:http2 resets the stream for DATA, and ignores WINDOW_UPDATE",
  },
  "fields of HTTP/2 that are left out": {
    bun: "its node:http2 resets the stream for a line feed in a value, as RFC 9113 §8.2.1 wants",
  },
  "the bytes of a connection of HTTP/2": {
    bun: "its node:http2 reads below the socket, whose bytesRead and bytesWritten stay 0",
  },
  "the last bytes of a socket whose two ends end at once": {
    deno: "node:net loses what was written in the turn of `end`, with EPIPE, if the other end ends in that turn, too",
  },
};

/** For the `skip` option of a test that needs this of its runtime: false, or the reason to skip. */
export function lacks(capability: Capability): string | false {
  if (runtime === "node") return false;
  const reason = LACKS[capability][runtime];
  return reason === undefined ? false : `the runtime lacks ${capability}: ${reason}`;
}
