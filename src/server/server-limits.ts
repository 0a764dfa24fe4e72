// The limits among the options of `serve`. Their defaults and checks are in the table of `options.ts`.

/** Limits. Input over a limit is refused before it is buffered. SECURITY.md lists what happens. */
export interface ServerLimits {
  /** All header lines of a request in bytes. Over it: 431. @default 16_384 */
  readonly maxHeaderBytes: number;
  /** Header lines of a request. Over it: 431. @default 100 */
  readonly maxHeaderCount: number;
  /** The request target in bytes. Over it: 414. @default 8192 */
  readonly maxTargetBytes: number;
  /** A request's body in bytes. Over it: 413. @default 8_388_608 (8 MiB) */
  readonly maxBodyBytes: number;
  /** A WebSocket message in bytes, all fragments together. Over it: close 1009. @default 4_194_304 (4 MiB) */
  readonly maxMessageBytes: number;
  /**
   * Fragments of a WebSocket message that may be of any size. A message of more is taken while they have 64 bytes on
   * average. Otherwise: close 1008. @default 1024
   */
  readonly maxFragments: number;
  /** Pings and pongs from one WebSocket in a second. Over it: close 1008. @default 1000 */
  readonly maxControlFramesPerSecond: number;
  /** Messages of one channel or session in a second. Over it `onRateExceeded` applies. @default Infinity */
  readonly maxMessagesPerSecond: number;
  /**
   * Bytes of the messages of one channel or session in a second; each counts with 64 at least. Over it `onRateExceeded` applies.
   * @default Infinity
   */
  readonly maxBytesPerSecond: number;
  /**
   * Messages of all channels of one client address together in a second: an IPv4 address or an IPv6 /64, as with
   * `maxSessionsPerAddress`. Over it the `onRateExceeded` of the channel applies. @default Infinity
   */
  readonly maxMessagesPerSecondPerAddress: number;
  /** Bytes of the messages of all channels of one client address together in a second. @default Infinity */
  readonly maxBytesPerSecondPerAddress: number;
  /** How much may come at once: what the rates give in this time, in milliseconds. @default 1000 */
  readonly rateBurstMs: number;
  /** Unsent bytes of a channel, at which its `onOverflow` applies. @default 1_048_576 (1 MiB) */
  readonly maxBufferedBytes: number;
  /**
   * Unsent bytes of all channels together. Over it `onOverflow` applies to those that hold their equal share or more.
   * @default 268_435_456 (256 MiB): as much as 256 clients that read nothing may hold
   */
  readonly maxTotalBufferedBytes: number;
  /**
   * Bytes that all clients together have sent and the application has not taken: unfinished messages and bodies, and
   * messages that wait for their receiver. Over it clients that hold their equal share or more are refused: 503, or close
   * 1013. A turn of the event loop reads up to 64 KiB of each connection before all are looked at. @default 201_326_592 (192 MiB)
   */
  readonly maxTotalReceivedBytes: number;
  /** Open connections, those in a TLS handshake included. Over it: 503 and closed; before TLS: dropped. @default Infinity */
  readonly maxConnections: number;
  /** Sessions, with a connection or without. Over it: 503. @default 100_000 */
  readonly maxSessions: number;
  /**
   * Sessions of one client address, an IPv4 address or an IPv6 /64, with a connection or without. Behind a proxy that is not
   * in `trustedProxies` all clients have the proxy's. Over it: 503. @default 1000
   */
  readonly maxSessionsPerAddress: number;
  /**
   * Open connections from one IPv4 address or one IPv6 /64; those of trusted proxies do not count. Over it: as for
   * `maxConnections`. @default Infinity: many may share an address
   */
  readonly maxConnectionsPerAddress: number;
  /** How long a TLS handshake may take, in milliseconds; then the connection is dropped. @default 10_000 */
  readonly tlsHandshakeTimeoutMs: number;
  /** How long a peer may take to end its side of a closed connection, in milliseconds; then it is dropped. @default 5000 */
  readonly closeTimeoutMs: number;
  /**
   * How long a peer may take none of the unsent bytes, in milliseconds; then it is lost: 1006. One that reads slowly is not.
   * @default 60_000
   */
  readonly writeTimeoutMs: number;
  /** How long a request's head may take from its first byte, in milliseconds. Over it: 408. @default 10_000 */
  readonly headerTimeoutMs: number;
  /**
   * How long a request's body may take while it is being read, in milliseconds, and longer as far as its bytes come at 1
   * KiB/s. Over it: 408. @default 60_000
   */
  readonly requestTimeoutMs: number;
  /**
   * How long a WebSocket message may take from its first byte, in milliseconds, and longer as far as its bytes come at 1
   * KiB/s. Over it: close 1008. @default 60_000
   */
  readonly messageTimeoutMs: number;
  /** How long a connection may be idle between requests, in milliseconds; then it is closed. @default 60_000 */
  readonly keepAliveTimeoutMs: number;
  /**
   * Silence in milliseconds after which a WebSocket gets a ping, and an event stream a comment. 0: never.
   * @default 25_000: under the 30 s that Heroku and the 60 s that nginx and AWS ALB allow by default
   */
  readonly pingIntervalMs: number;
  /** How long after a ping a WebSocket may stay silent, in milliseconds; then it is lost: 1006. @default 20_000 */
  readonly pongTimeoutMs: number;
}
