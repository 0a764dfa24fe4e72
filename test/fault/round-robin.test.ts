// Three processes behind nginx and haproxy, which give each connection to the next process, without any stickiness; and deploys.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { needs } from "../support/needs.ts";
import { freePort, startHaproxy, startNginx } from "../support/proxies.ts";
import { Service, type ServiceProcess } from "../support/service.ts";

const CARRIERS = [["websocket"], ["sse"], ["poll"]] as const;

/** The ports of processes that stay the same over a restart: a balancer has them in its configuration. */
type Start = (port: number, processes: readonly ServiceProcess[]) => Promise<void>;

describe("sessions behind a balancer without stickiness", { skip: needs("redis-server") }, () => {
  for (const name of ["nginx", "haproxy"] as const) {
    it(`go on at ${name}, on all carriers, while a process stops`, { skip: needs(name) }, async (t) => {
      const service = await Service.start(t, "redis", 3);
      const start: Start = (port, processes) => {
        const ports = processes.map((process) => process.port);
        if (name === "nginx") {
          return startNginx(
            t,
            port,
            `upstream all { ${ports.map((one) => `server 127.0.0.1:${one} max_fails=0;`).join(" ")} }
             map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
             server {
               listen 127.0.0.1:${port};
               location / {
                 proxy_pass http://all; proxy_http_version 1.1; proxy_buffering off; client_max_body_size 0;
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                 proxy_set_header Host $http_host;
               }
             }`,
          );
        }
        return startHaproxy(
          t,
          port,
          `defaults
             mode http
             timeout connect 5s
             timeout client 60s
             timeout server 60s
             timeout tunnel 60s
           frontend f
             bind 127.0.0.1:${port}
             default_backend all
           backend all
             balance roundrobin
             option redispatch
             retries 3
             ${ports.map((one, n) => `server s${n} 127.0.0.1:${one} check inter 200`).join("\n             ")}`,
        );
      };
      const port = await freePort();
      await start(port, service.started);
      const clients = Array.from({ length: 6 }, (_, n) => {
        const client = service.client(
          `c${n}`,
          { carriers: CARRIERS[n % CARRIERS.length]! },
          `http://127.0.0.1:${port}`,
        );
        void client.keepSending(20);
        return client;
      });
      await delay(3000);
      // Relayed, and at home: round robin reaches all of them.
      assert.ok(service.started.every((process) => process.count("open") > 0));
      assert.equal(service.events("restored").length, 0);
      for (const process of service.started.slice(0, 2)) {
        await process.stop();
        await delay(1000);
      }
      for (const client of clients) await client.check();
      assert.ok(service.events("restored").length >= 2);
      assert.deepEqual(service.events("error"), []);
    });
  }
});
