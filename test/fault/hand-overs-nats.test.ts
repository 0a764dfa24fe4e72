import { needs } from "../support/needs.ts";
import { handOverFaults } from "./hand-overs.ts";

handOverFaults("nats", needs("nats-server"));
