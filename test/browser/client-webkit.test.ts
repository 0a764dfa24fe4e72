import { clientSuite } from "./client-suite.ts";
import { webkit } from "./engines/webkit.ts";

clientSuite(webkit);
