import { clientSuite } from "./client-suite.ts";
import { firefox } from "./engines/firefox.ts";

clientSuite(firefox);
