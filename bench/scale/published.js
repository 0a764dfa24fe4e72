// @ts-check
// Figures that others have published about many connections, beside a run of ours.
import { number } from "../lib/results.js";

const HTTP_KIT = "http://http-kit.org/600k-concurrent-connection-http-kit.html";
const CENTRIFUGE = "https://centrifugal.dev/blog/2020/02/10/million-connections-with-centrifugo";
const PHOENIX = "https://phoenixframework.org/blog/the-road-to-2-million-websocket-connections";

/** A table and what differs. @param {import("./measure.js").ScaleResult} result */
export function besidePublished({ machine, connections, servers, stages, before, idle }) {
  const full = stages[stages.length - 1];
  if (full === undefined) return "";
  const kb = (/** @type {number} */ bytes) => number(bytes / 1000 / connections, 1);
  const all = full.serverRss + (full.kernel.slab - before.slab) / 2;
  const idleMicros = (idle.serverCpuSeconds * 1e6) / idle.seconds / idle.connections;
  const allMs = Math.max(...full.messages.map((message) => message.allMs));
  return [
    "| | connections | machine | what they did | memory for each |",
    "| --- | ---: | --- | --- | --- |",
    `| unichannel | ${number(connections)} WebSockets | ${machine.cores} cores of an ${machine.cpu}, ${machine.memoryGiB} GiB, with the clients and Redis on it | silent with pings; then a message in a minute; one message to all in ${number(allMs / 1000, 1)} s | ` +
      `${kb(full.serverRss)} kB: all of ${servers} processes; ${kb(all)} kB with the kernel's, of one end |`,
    `| [http-kit](${HTTP_KIT}), 2013 | 600,000 of HTTP | 4 cores (8 threads) of an Intel i7-2600, 16 GB, with the clients on it | a GET of up to 4 KiB in 5 to 45 s: 18,765 in a second | at most 5.4 kB: a heap of 3 GiB in one JVM; without the rest of the process and the kernel's |`,
    `| [Centrifuge](${CENTRIFUGE}), 2020 | 1,000,000 WebSockets | 20 pods in Kubernetes on Intel E5-2640 v4, the clients in 100 others, 5 Redis | each in a channel of its own and one of ten; 200,000 came and went in a minute; 500,000 deliveries in a second, 99 % within 200 ms | 27 GB, "about 30 kB": the memory of the pods |`,
    `| [Phoenix](${PHOENIX}), 2015 | 2,000,000 WebSockets | 40 cores, 128 GB, the clients on 45 others | each in one room, silent; one message to all in 1 s | not published, below 64 kB: the machine was not full. 450,000 filled one of 15 GB: 33 kB |`,
    "",
    "These are not measurements of the same thing:",
    "",
    `- *Machines.* Two million on 40 cores are 50,000 for each core, a million on the 40 CPUs that Centrifuge used at full load 25,000; here it is ${number(connections / machine.cores)}, and the clients are on the same cores. They are ` +
      "also older by six to thirteen years: no time is comparable.",
    "- *Loopback.* Here and for http-kit no byte went through a network card, nothing was lost, and the kernel held both ends. The others had client machines.",
    `- *What the connections did.* Ours are plain WebSockets in one group. Centrifuge's were in two channels each and came and went, at 10 CPUs for a million that received little (10 µs in a second for each; ours took ${number(idleMicros, 1)} µs, ` +
      "silent). http-kit answered requests. A message to all is one for us and for Phoenix; Centrifuge sent different ones to groups of ten.",
    "- *What was counted.* For us the resident size of all server processes, and half of what the kernel's slab grew by. For http-kit it is the limit of the heap. Centrifuge counts its pods with Go's buffers, Redis not; " +
      "Phoenix says only what machine it was.",
    `- *Processes.* Phoenix and http-kit had all connections in one process. Node has one core for each process, and this machine 20,000 descriptors, so ours are in ${servers}: ` +
      `${number(full.serverBaseRss / 1e6 / servers)} MB for each are there before the first clients.`,
    "- *Not shown here*: TLS, compression, sessions, a network that loses packets, and clients that read slowly.",
  ].join("\n");
}
