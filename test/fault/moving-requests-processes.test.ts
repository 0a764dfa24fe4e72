import { movingRequests } from "./moving-requests.ts";

movingRequests("processes", false);
