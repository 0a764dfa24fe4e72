// Processes that are killed, with NATS.

import { needs } from "../support/needs.ts";
import { crashes } from "./crashes.ts";

crashes("nats", needs("nats-server"));
