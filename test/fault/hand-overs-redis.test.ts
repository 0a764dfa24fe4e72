import { needs } from "../support/needs.ts";
import { handOverFaults } from "./hand-overs.ts";

handOverFaults("redis", needs("redis-server"));
