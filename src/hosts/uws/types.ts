// The parts of uWebSockets.js that we use, by their shape: the package is the user's.

export interface UwsResponse {
  writeStatus(status: string): UwsResponse;
  writeHeader(name: string, value: string | Uint8Array): UwsResponse;
  write(chunk: string | Uint8Array): boolean;
  end(body?: string | Uint8Array, closeConnection?: boolean): UwsResponse;
  endWithoutBody(reportedContentLength?: number, closeConnection?: boolean): UwsResponse;
  close(): UwsResponse;
  cork(run: () => void): UwsResponse;
  onAborted(run: () => void): UwsResponse;
  onData(run: (part: ArrayBuffer, isLast: boolean) => void): UwsResponse;
  pause(): void;
  resume(): void;
  getRemoteAddressAsText(): ArrayBuffer;
  upgrade(userData: object, key: string, protocol: string, extensions: string, context: unknown): void;
}

export interface UwsRequest {
  getCaseSensitiveMethod(): string;
  getUrl(): string;
  getQuery(): string;
  forEach(run: (name: string, value: string) => void): void;
}

export interface UwsSocket {
  getUserData(): object;
  getBufferedAmount(): number;
  send(message: string | Uint8Array, isBinary: boolean, compress: boolean): number;
  sendFirstFragment(message: string | Uint8Array, isBinary: boolean, compress: boolean): number;
  sendFragment(message: string | Uint8Array, compress: boolean): number;
  sendLastFragment(message: string | Uint8Array, compress: boolean): number;
  ping(message?: Uint8Array): number;
  cork(run: () => void): unknown;
  end(code: number, reason: string): void;
  close(): void;
}

/** The application of uWebSockets.js: `uWS.App()` or `uWS.SSLApp(…)`. */
export interface UwsApp {
  /** Sets the handler of a pattern, for all methods. */
  any(pattern: string, handler: (response: never, request: never) => void): unknown;
  /** Sets the WebSockets of a pattern. */
  ws(pattern: string, behavior: never): unknown;
}

/** The last argument of an upgrade handler. */
export type UwsContext = unknown;
