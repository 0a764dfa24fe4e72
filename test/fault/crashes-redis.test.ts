// Processes that are killed, with Redis.

import { needs } from "../support/needs.ts";
import { crashes } from "./crashes.ts";

crashes("redis", needs("redis-server"));
