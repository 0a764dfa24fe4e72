// @ts-check
// Imports one module, or none, and says so.
import { ready } from "../lib/ready.js";

const [, , module] = process.argv;
if (module !== undefined) await import(module);
ready(0);
