// A client that resets its connection (RST), in every phase that a connection has.

import { describe, it } from "node:test";
import type { RawClient } from "../support/raw-client.ts";
import { request } from "../support/serving.ts";
import { closeFrame, frame, textFrame, upgradeRequest } from "../support/ws-client.ts";
import { besieged } from "./siege.ts";

/** Connections that are reset in each phase. */
const TIMES = 15;

interface Phase {
  readonly name: string;
  /** Brings a connection into its phase; it is reset when the promise resolves. */
  readonly reach: (client: RawClient) => Promise<unknown> | unknown;
  /** The server's report of each. */
  readonly ends?: string;
}

const opened = async (client: RawClient, path: string): Promise<void> => {
  client.write(upgradeRequest(path));
  await client.head();
};

const PHASES: readonly Phase[] = [
  { name: "before its first byte", reach: () => {} },
  { name: "in the middle of a head", reach: (client) => client.write("GET / HTTP/1.1\r\nHo") },
  {
    name: "in the middle of a body that is read",
    reach: async (client) => {
      client.write(request("POST /body\r\nContent-Length: 100000\r\nExpect: 100-continue"));
      await client.head();
      client.write("x".repeat(500));
    },
    ends: "/body CLIENT_GONE",
  },
  {
    name: "in the middle of a chunk",
    reach: async (client) => {
      client.write(request("POST /body\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue"));
      await client.head();
      client.write("ff\r\nhalf");
    },
    ends: "/body CLIENT_GONE",
  },
  {
    name: "while the handler works",
    reach: async (client) => {
      client.write(request("GET /") + request("GET /hang"));
      await client.response();
    },
    ends: "/hang aborted",
  },
  {
    name: "when half of the response is sent",
    reach: async (client) => {
      client.pause();
      client.write(request("GET /big"));
      client.resume();
      await client.head();
      await client.take(100_000);
    },
  },
  { name: "before it has read its 101", reach: (client) => client.write(upgradeRequest("/echo")) },
  {
    name: "in the middle of a frame",
    reach: async (client) => {
      await opened(client, "/echo");
      client.write(frame(2, Buffer.alloc(50_000)).subarray(0, 30_000));
    },
    ends: "/echo abnormal",
  },
  {
    name: "in the middle of a fragmented message",
    reach: async (client) => {
      await opened(client, "/echo");
      client
        .write(textFrame("never", false))
        .write(frame(0, "whole", false))
        .write(frame(9, "ping"));
      await client.take(6);
    },
    ends: "/echo abnormal",
  },
  {
    name: "right behind its close frame",
    reach: async (client) => {
      await opened(client, "/echo");
      client.write(closeFrame(1000));
      await client.take(4);
    },
    ends: "/echo normal",
  },
  {
    name: "instead of answering the server's close frame",
    reach: async (client) => {
      await opened(client, "/close");
      await client.take(2);
    },
    ends: "/close application",
  },
  {
    name: "in the middle of an event stream",
    reach: async (client) => {
      client.write(request("GET /events\r\nAccept: text/event-stream"));
      await client.head();
      await client.chunk();
    },
    ends: "/events client-close",
  },
  {
    name: "while its poll is parked",
    reach: async (client) => {
      client.write(request("GET /") + request("GET /parked"));
      await client.response();
    },
    ends: "/parked client-close",
  },
];

describe("A connection that is reset", () => {
  const server = besieged();

  for (const { name, reach, ends } of PHASES) {
    it(`${name} leaves nothing behind, and is noticed`, async (t) => {
      const siege = await server.begin(t);
      const clients = await Promise.all(Array.from({ length: TIMES }, () => siege.connect()));
      await Promise.all(clients.map(reach));
      for (const client of clients) client.reset();
      if (ends !== undefined) await siege.ended(ends, TIMES);
      await siege.holds();
    });
  }
});
