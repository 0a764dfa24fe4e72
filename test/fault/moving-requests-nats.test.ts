import { needs } from "../support/needs.ts";
import { movingRequests } from "./moving-requests.ts";

movingRequests("nats", needs("nats-server"));
