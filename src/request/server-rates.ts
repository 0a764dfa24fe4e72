// The rates of a server: those that each channel has unless its options say otherwise, and those of client addresses.

import { detached } from "../base/bytes.ts";
import { AddressRates } from "../channel/address-rates.ts";
import type { RateSettings } from "../channel/rate-gate.ts";
import { isLimited, type RatePolicy } from "../channel/rate-limits.ts";
import { networkOf } from "../codec/ip-address.ts";
import type { ChannelRequest } from "./request.ts";

/** The options of a channel, of a session, and of `serve`. */
export interface RateOptions {
  readonly maxMessagesPerSecond?: number | undefined;
  readonly maxBytesPerSecond?: number | undefined;
  readonly rateBurstMs?: number | undefined;
  readonly onRateExceeded?: RatePolicy | undefined;
}

/** The limits of a server. */
export interface RateDefaults {
  readonly maxMessagesPerSecond: number;
  readonly maxBytesPerSecond: number;
  readonly maxMessagesPerSecondPerAddress: number;
  readonly maxBytesPerSecondPerAddress: number;
  readonly rateBurstMs: number;
}

/** True for the address of a proxy, which all clients behind it share. */
export type IsProxy = (address: string) => boolean;

export class ServerRates {
  /** Undefined if no address is limited. */
  readonly addresses: AddressRates | undefined;
  readonly #defaults: RateDefaults;
  readonly #policy: RatePolicy;
  readonly #isProxy: IsProxy;
  /** The settings of a channel without options of its own, and without an address; undefined if it is not limited. */
  readonly usual: RateSettings | undefined;

  constructor(limits: RateDefaults, policy: RatePolicy = "close", isProxy: IsProxy = () => false) {
    this.#defaults = limits;
    this.#policy = policy;
    this.#isProxy = isProxy;
    const ofAddress = {
      messagesPerSecond: limits.maxMessagesPerSecondPerAddress,
      bytesPerSecond: limits.maxBytesPerSecondPerAddress,
      burstMs: limits.rateBurstMs,
    };
    this.addresses = isLimited(ofAddress) ? new AddressRates(ofAddress) : undefined;
    const { rates } = this.#settings({}, undefined);
    this.usual = isLimited(rates) ? { rates, policy, address: undefined } : undefined;
  }

  /** The rates of a channel that answers `request`; undefined if they are not limited. */
  settingsFor(request: ChannelRequest, options: RateOptions): RateSettings | undefined {
    const network = this.addresses === undefined ? undefined : clientNetwork(request, this.#isProxy);
    const { maxMessagesPerSecond, maxBytesPerSecond, rateBurstMs, onRateExceeded } = options;
    const own = maxMessagesPerSecond ?? maxBytesPerSecond ?? rateBurstMs ?? onRateExceeded;
    if (network === undefined && own === undefined) return this.usual;
    const settings = this.#settings(options, network);
    return settings.address === undefined && !isLimited(settings.rates) ? undefined : settings;
  }

  #settings(options: RateOptions, network: string | undefined): RateSettings {
    const { maxMessagesPerSecond, maxBytesPerSecond, rateBurstMs } = this.#defaults;
    return {
      rates: {
        messagesPerSecond: options.maxMessagesPerSecond ?? maxMessagesPerSecond,
        bytesPerSecond: options.maxBytesPerSecond ?? maxBytesPerSecond,
        burstMs: options.rateBurstMs ?? rateBurstMs,
      },
      policy: options.onRateExceeded ?? this.#policy,
      // A part of a request's head would keep all of it in memory for as long as the channel lives.
      address: network === undefined ? undefined : { rates: this.addresses!, network: detached(network) },
    };
  }
}

/**
 * The network by which a client is counted: an IPv4 address, or an IPv6 /64. Undefined for a Unix socket, and for a proxy that
 * does not name its clients: they cannot be told apart there.
 */
export function clientNetwork(request: ChannelRequest, isProxy: IsProxy): string | undefined {
  const { remoteAddress: address } = request;
  return address === undefined || isProxy(address) ? undefined : networkOf(address);
}
