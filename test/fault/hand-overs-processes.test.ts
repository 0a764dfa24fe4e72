import { handOverFaults } from "./hand-overs.ts";

handOverFaults("processes", false);
