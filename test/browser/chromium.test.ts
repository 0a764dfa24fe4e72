import { chromium } from "./engines/chromium.ts";
import { inBrowser } from "./engines/rig.ts";
import { clientSuite } from "./suites/client.ts";
import { crossOriginSuite } from "./suites/cross-origin.ts";
import { leavingSuite } from "./suites/leaving.ts";
import { streamingSuite } from "./suites/streaming.ts";
import { webSocketSuite } from "./suites/websocket.ts";

inBrowser(chromium, [webSocketSuite, streamingSuite, crossOriginSuite, clientSuite, leavingSuite]);
