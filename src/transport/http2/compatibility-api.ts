// The compatibility API of node:http2, as an exchange sees it: other code of the process may use it on the same stream.

export interface CompatibilityApi {
  /** Returns the fields that middleware has set for the response so far: those of the response itself win. */
  presetFields(): readonly string[];
  /** Throws BODY_USED if other code has read the body. */
  claimBody(): void;
  /** A response of ours begins. */
  responseBegins(status: number): void;
  /** Other code has ended the response. Returns its status; undefined if that was a mistake, and the client is cut off. */
  responseEnded(): number | undefined;
}
