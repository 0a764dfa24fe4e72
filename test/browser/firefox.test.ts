import { firefox } from "./engines/firefox.ts";
import { inBrowser } from "./engines/rig.ts";
import { clientSuite } from "./suites/client.ts";
import { crossOriginSuite } from "./suites/cross-origin.ts";
import { streamingSuite } from "./suites/streaming.ts";
import { webSocketSuite } from "./suites/websocket.ts";

inBrowser(firefox, [webSocketSuite, streamingSuite, crossOriginSuite, clientSuite]);
