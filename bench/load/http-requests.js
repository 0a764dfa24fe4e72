// @ts-check
// The requests of the HTTP rows, for all generators.

/** Header fields similar to a browser's. */
const BROWSER_FIELDS = [
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Encoding: identity",
  "Accept-Language: en-GB,en;q=0.5",
  "Cache-Control: no-cache",
  "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes",
  "DNT: 1",
  "Origin: http://127.0.0.1",
  "Pragma: no-cache",
  "Priority: u=0, i",
  "Referer: http://127.0.0.1/some/other/page?with=a&query=string",
  "Sec-CH-UA-Mobile: ?0",
  'Sec-CH-UA-Platform: "Linux"',
  "Sec-Fetch-Dest: document",
  "Sec-Fetch-Mode: navigate",
  "Sec-Fetch-Site: same-origin",
  "Sec-Fetch-User: ?1",
  "Upgrade-Insecure-Requests: 1",
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  "X-Request-Id: 6f1c3a52-0b51-4b0e-9d0c-3c1a3f0f7d11",
];

/** @param {{ browser?: boolean, bodyBytes?: number, close?: boolean }} kind */
export function requestOf({ browser = false, bodyBytes = 0, close = false }) {
  return {
    method: bodyBytes > 0 ? "POST" : "GET",
    fields: [
      ...(browser ? BROWSER_FIELDS : []),
      ...(bodyBytes > 0 ? ["Content-Type: application/octet-stream"] : []),
      ...(close ? ["Connection: close"] : []),
    ],
    body: "x".repeat(bodyBytes),
  };
}
