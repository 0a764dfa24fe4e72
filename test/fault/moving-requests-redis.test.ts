import { needs } from "../support/needs.ts";
import { movingRequests } from "./moving-requests.ts";

movingRequests("redis", needs("redis-server"));
