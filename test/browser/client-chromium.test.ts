import { clientSuite } from "./client-suite.ts";
import { chromium } from "./engines/chromium.ts";

clientSuite(chromium);
