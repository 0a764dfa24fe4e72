// @ts-check
// Loads all parts of the page at once, so that all listeners are set before anything arrives.

import "./stage.js";
import "./tour.js";
import "./panel.js";
import "./chat.js";
import "./ticks.js";
