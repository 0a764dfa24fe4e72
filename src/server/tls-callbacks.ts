// Guards the functions among the options of TLS, which are application code: an exception, a rejection or a wrong answer ends
// one handshake and is reported. Node lets a rejection end the process, and before 20.20 an exception, too.

import type { SecureContext, TlsOptions } from "node:tls";
import { ChannelError } from "../base/errors.ts";
import { callSync, guard, isThenable } from "../base/guard.ts";

/** RFC 4279 §5.3 requires support for 64 bytes; OpenSSL has room for 512, Node for 256. */
const MAX_PSK_BYTES = 256;

type Report = (error: unknown) => void;

/** Returns the options with guarded callbacks. A callback that is not a function stays as it is, and Node refuses it. */
export function guardTlsCallbacks(options: TlsOptions, report: Report): TlsOptions {
  const { SNICallback, ALPNCallback, pskCallback } = options;
  return {
    ...options,
    ...(typeof SNICallback === "function" && { SNICallback: guardSni(SNICallback, report) }),
    ...(typeof ALPNCallback === "function" && { ALPNCallback: guardAlpn(ALPNCallback, report) }),
    ...(typeof pskCallback === "function" && { pskCallback: guardPsk(pskCallback, report) }),
  };
}

type Sni = NonNullable<TlsOptions["SNICallback"]>;

/** Takes a context that is returned, or that a promise resolves with, like one that is given to the callback. */
function guardSni(ask: Sni, report: Report): Sni {
  return (name, done) => {
    let isAnswered = false;
    const answer = (error: Error | null, context?: SecureContext): void => {
      if (isAnswered) return;
      isAnswered = true;
      done(error, context);
    };
    const fail = (error: unknown): void => {
      report(error);
      answer(error instanceof Error ? error : new Error("SNICallback failed", { cause: error }));
    };
    const given = (error: unknown, context?: SecureContext | null): void => {
      if (error !== undefined && error !== null) answer(error instanceof Error ? error : new Error(String(error)));
      else if (context === undefined || context === null) answer(null);
      else if (isContext(context)) answer(null, context);
      else fail(bad("SNICallback answered with a value that is not a context; answer with tls.createSecureContext(…)"));
    };
    const returned = (value: unknown): void => {
      if (isContext(value)) answer(null, value);
    };
    guard(() => {
      const result: unknown = ask(name, given);
      if (isThenable(result)) return Promise.resolve(result).then(returned);
      return returned(result);
    }, fail);
  };
}

type Alpn = NonNullable<TlsOptions["ALPNCallback"]>;

function guardAlpn(ask: Alpn, report: Report): Alpn {
  return (offer) => {
    try {
      const chosen = callSync("ALPNCallback", () => ask(offer));
      if (chosen === undefined || offer.protocols.includes(chosen)) return chosen;
      throw bad(`ALPNCallback answered ${JSON.stringify(chosen)}, which the client did not offer`);
    } catch (error) {
      report(error);
      // Chooses none of the protocols: RFC 7301 §3.2.
      return undefined;
    }
  };
}

type Psk = NonNullable<TlsOptions["pskCallback"]>;

function guardPsk(ask: Psk, report: Report): Psk {
  return (socket, identity) => {
    try {
      const answer: unknown = callSync("pskCallback", () => ask(socket, identity));
      if (answer === undefined || answer === null) return null;
      const psk = (answer as { readonly psk?: unknown }).psk ?? answer;
      if (ArrayBuffer.isView(psk) && psk.byteLength <= MAX_PSK_BYTES) return psk as Uint8Array;
      throw bad(`pskCallback must answer with a Buffer of at most ${MAX_PSK_BYTES} bytes, or null`);
    } catch (error) {
      report(error);
      return null;
    }
  };
}

/** True for a result of `tls.createSecureContext`, whichever copy of its class made it. */
function isContext(value: unknown): value is SecureContext {
  if (typeof value !== "object" || value === null) return false;
  const { context } = value as { readonly context?: unknown };
  return (typeof context === "object" && context !== null) || value.constructor?.name === "SecureContext";
}

function bad(text: string): ChannelError {
  return new ChannelError("BAD_OPTION", text);
}
