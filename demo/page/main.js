// @ts-check
// All of the page, in one go: nothing arrives before everybody listens.

import "./panel.js";
import "./chat.js";
import "./ticks.js";
