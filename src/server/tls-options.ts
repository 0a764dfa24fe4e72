// Checks the TLS options of `serve` and `setTls`: Node accepts many options with which every handshake fails, and the first
// sign of it would be a client that cannot connect.

import { X509Certificate } from "node:crypto";
import { DEFAULT_MAX_VERSION, DEFAULT_MIN_VERSION, type SecureContextOptions, type TlsOptions } from "node:tls";
import { ChannelError } from "../base/errors.ts";
import { checkNearNames } from "../base/near-names.ts";
import { unknownName } from "../base/option-names.ts";

/** The options of `setTls`: the names of `SecureContextOptions` in all supported versions of Node. */
const CONTEXT_OPTIONS = [
  "cert",
  "key",
  "passphrase",
  "pfx",
  "ca",
  "crl",
  "minVersion",
  "maxVersion",
  "ciphers",
  "sigalgs",
  "ecdhCurve",
  "dhparam",
  "honorCipherOrder",
  "secureOptions",
  "secureProtocol",
  "sessionIdContext",
  "sessionTimeout",
  "ticketKeys",
  "clientCertEngine",
  "privateKeyEngine",
  "privateKeyIdentifier",
  "allowPartialTrustChain",
  "certificateCompression",
];

/** The options in `tls` of `serve`: the names of `TlsOptions`. */
const SERVER_OPTIONS = [
  ...CONTEXT_OPTIONS,
  "SNICallback",
  "ALPNProtocols",
  "ALPNCallback",
  "pskCallback",
  "pskIdentityHint",
  "requestCert",
  "rejectUnauthorized",
  "handshakeTimeout",
  "enableTrace",
  "allowHalfOpen",
  "pauseOnConnect",
  "noDelay",
  "keepAlive",
  "keepAliveInitialDelay",
  "highWaterMark",
  "blockList",
  "requestOCSP",
  "secureContext",
];

const VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/** The advice for each code of OpenSSL, whose own text follows it. */
const MEANINGS: Readonly<Record<string, string>> = {
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: "key is not the key of cert; give the two that were made for each other",
  ERR_OSSL_X509_KEY_TYPE_MISMATCH: "key is not the key of cert; give the two that were made for each other",
  ERR_OSSL_PEM_NO_START_LINE: "cert, key or ca is not PEM; give the text of the file, not its path",
  ERR_OSSL_UNSUPPORTED: "key is not PEM; give the text of the file, not its path",
  ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: "key is encrypted; give its passphrase",
  ERR_MISSING_PASSPHRASE: "key is encrypted; give its passphrase",
  ERR_OSSL_BAD_DECRYPT: "passphrase is not the passphrase of key or pfx",
  ERR_OSSL_EVP_BAD_DECRYPT: "passphrase is not the passphrase of key or pfx",
};

/** The options of `setTls`: null takes an option away, undefined leaves it as it is. */
export type TlsRenewal = { readonly [Name in keyof SecureContextOptions]?: SecureContextOptions[Name] | null };

/** Returns `tls` of `serve` without undefined options. Throws BAD_OPTION if no handshake could succeed. */
export function checkTls(options: TlsOptions): TlsOptions {
  checkNearNames("tls", options, SERVER_OPTIONS);
  const given = withoutUndefined(options);
  checkHandshake(given);
  return given;
}

/**
 * Merges `renewal` into the options of a running server. A new identity replaces the old one whole: `pfx` replaces `cert` and
 * `key`, and they replace it. Throws BAD_OPTION if no handshake could succeed.
 */
export function renewedTls(current: TlsOptions, renewal: TlsRenewal): TlsOptions {
  checkNearNames("setTls", renewal, CONTEXT_OPTIONS);
  for (const name of Object.keys(renewal)) {
    if (SERVER_OPTIONS.includes(name) && !CONTEXT_OPTIONS.includes(name)) {
      throw new ChannelError("BAD_OPTION", unknownName("setTls has no option", name, CONTEXT_OPTIONS));
    }
  }
  const given = withoutUndefined(renewal);
  if (Object.keys(given).length === 0) {
    throw bad("setTls was given no option with a value; give cert and key, or pfx");
  }
  const renewed: Record<string, unknown> = { ...current, ...given };
  if (isFilled(given.pfx)) {
    if (given.cert === undefined) delete renewed["cert"];
    if (given.key === undefined) delete renewed["key"];
  } else if (isFilled(given.cert) && given.pfx === undefined) delete renewed["pfx"];
  for (const [name, value] of Object.entries(given)) if (value === null) delete renewed[name];
  checkHandshake(renewed as TlsOptions);
  return renewed as TlsOptions;
}

/** Runs a function of `node:tls` that may refuse the options. Throws BAD_OPTION with advice, and with OpenSSL's text. */
export function orBadOption<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message?: string };
    const meaning = MEANINGS[code ?? ""];
    throw new ChannelError("BAD_OPTION", `tls: ${meaning === undefined ? "" : `${meaning}: `}${message ?? error}`, {
      cause: error,
    });
  }
}

/** Returns a warning if the first certificate has expired or is not valid yet; undefined if it is valid, or cannot be read. */
export function validityWarning({ cert }: TlsOptions, now: number): string | undefined {
  const first = Array.isArray(cert) ? cert[0] : cert;
  if (first === undefined) return undefined;
  try {
    const { validFrom, validTo } = new X509Certificate(first);
    if (Date.parse(validTo) < now) return `the TLS certificate has expired on ${validTo}`;
    if (Date.parse(validFrom) > now) return `the TLS certificate is not valid before ${validFrom}`;
  } catch {
    // This class cannot read some certificates that OpenSSL reads, such as those with a trust setting.
  }
  return undefined;
}

function checkHandshake(options: TlsOptions): void {
  for (const name of ["SNICallback", "ALPNCallback", "pskCallback"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "function")
      throw bad(`tls.${name} must be a function, not ${typeof value}`);
  }
  checkIdentity(options);
  checkVersions(options);
}

/** Throws BAD_OPTION if there is no certificate to offer: RFC 8446 §4.4.2. */
function checkIdentity(options: TlsOptions): void {
  const { cert, key, pfx, SNICallback, pskCallback } = options;
  const { privateKeyIdentifier } = options as SecureContextOptions;
  const hasKey = isFilled(key) || isFilled(privateKeyIdentifier);
  if ((isFilled(cert) && hasKey) || isFilled(pfx)) return;
  if (isFilled(cert)) throw bad("tls has a cert without its key; give both, or pfx");
  if (hasKey) throw bad("tls has a key without its cert; give both, or pfx");
  // A callback for certificates by name, or for shared secrets, replaces the certificate.
  if (SNICallback !== undefined || pskCallback !== undefined) return;
  throw bad("tls has no certificate; give cert and key, or pfx");
}

function checkVersions(options: TlsOptions): void {
  const { secureProtocol, ciphers } = options;
  if (typeof secureProtocol === "string") return;
  const { minVersion = DEFAULT_MIN_VERSION, maxVersion = DEFAULT_MAX_VERSION } = options;
  const [least, most] = [VERSIONS.indexOf(minVersion), VERSIONS.indexOf(maxVersion)];
  // Node refuses an unknown name.
  if (least === -1 || most === -1) return;
  if (least > most) throw bad(`tls allows no version: minVersion is ${minVersion} and maxVersion is ${maxVersion}`);
  if (typeof ciphers !== "string" || ciphers === "") return;
  // OpenSSL keeps the suites of TLS 1.3, whose names begin with TLS_, apart from those of earlier versions.
  const isSuite = ciphers.split(":").map((name) => name.startsWith("TLS_"));
  const last = VERSIONS.length - 1;
  if (most < last && !isSuite.includes(false))
    throw bad(`tls has ciphers of TLSv1.3 only and maxVersion ${maxVersion}`);
  if (least === last && !isSuite.includes(true)) throw bad("tls has no cipher of TLSv1.3 and minVersion TLSv1.3");
}

/** True for a certificate or key that is not empty, or a list that has one. */
function isFilled(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isFilled);
  if (typeof value === "string" || ArrayBuffer.isView(value)) return (value as { length: number }).length > 0;
  if (typeof value === "object" && value !== null) {
    const { pem, buf } = value as { readonly pem?: unknown; readonly buf?: unknown };
    return isFilled(pem ?? buf);
  }
  // Node refuses all other types, and names them.
  return value !== undefined && value !== null && value !== false;
}

function withoutUndefined<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}

function bad(text: string): ChannelError {
  return new ChannelError("BAD_OPTION", text);
}
