// @ts-check
// The cores of one machine: two processes of `runProcesses` beside one process. All of them share one core, and the load has the other, so
// CPU time tells what the second process costs: at 0.9 of the rate of one process for each second of CPU, two processes on cores of their
// own do 1.8 times its work.
import { workRow } from "../lib/row.js";

const targets = { "one process": "≥ 0.9 × (1.8 × on two cores)" };

/** @param {"echo" | "publish"} work */
function peersOf(work) {
  return {
    "unichannel, 2 processes": `processes-unichannel.js ${work} 2`,
    "one process": `processes-unichannel.js ${work} 0`,
  };
}

export const processes = [
  workRow({
    name: "processes-echo",
    title: "echo of 32 bytes of text, 64 connections, 16 messages in flight on each, on 2 processes of one machine",
    rank: "extra",
    peers: peersOf("echo"),
    targets,
    load: "ws-echo.js",
    config: { connections: 64, inFlight: 16, messageBytes: 32, binary: false },
  }),
  publish("processes-publish", "one at a time", 1),
  publish("processes-publish-16", "16 on their way", 16),
];

/** @param {string} name @param {string} title @param {number} inFlight */
function publish(name, title, inFlight) {
  return workRow({
    name,
    title: `messages of 128 bytes to 1,000 members of 2 processes of one machine, ${title}`,
    rank: "extra",
    peers: peersOf("publish"),
    targets,
    load: "cluster.js",
    config: { connections: 1000, inFlight },
  });
}
