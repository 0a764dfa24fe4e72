import { inBrowser } from "./engines/rig.ts";
import { webkit } from "./engines/webkit.ts";
import { clientSuite } from "./suites/client.ts";
import { crossOriginSuite } from "./suites/cross-origin.ts";
import { streamingSuite } from "./suites/streaming.ts";
import { webSocketSuite } from "./suites/websocket.ts";

inBrowser(webkit, [webSocketSuite, streamingSuite, crossOriginSuite, clientSuite]);
