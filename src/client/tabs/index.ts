// The entry of `unichannel/tabs`: one session for all tabs of a browser.

import { badOption, badValue } from "../../base/bad-option.ts";
import { checkOptionNames } from "../../base/option-names.ts";
import type { Sharing } from "../sharing.ts";
import { browser, type TabsPlatform } from "./platform.ts";
import { shareSession, type TabStatus } from "./tab.ts";

export type { Sharing } from "../sharing.ts";
export type { TabChannel, TabEvent, TabLocks, TabsPlatform } from "./platform.ts";
export type { TabStatus } from "./tab.ts";

/** The options of `tabs`. */
export interface TabsOptions {
  /**
   * Names the user: connections with another name never share a session. An empty text if there are no users. From a server's
   * page or answer, not typed in.
   */
  readonly user: string;
  /** Called with each new part of this tab. Its exceptions go to `onError` of the connection. */
  readonly onStatus?: ((status: TabStatus) => void) | undefined;
  /** Locks and channels, for tests. @default those of the browser */
  readonly platform?: TabsPlatform | undefined;
}

/** The format of the notes: tabs with another version of it have sessions of their own. */
const VERSION = 1;

/**
 * The option `share` of `connect`: all tabs of a browser that connect to the same URL, with the same `params` and the same `user`,
 * have one session. Throws BAD_OPTION.
 */
export function tabs(options: TabsOptions): Sharing {
  if (typeof options !== "object" || options === null) throw badOption("tabs needs { user }");
  checkOptionNames("tabs", options, ["user", "onStatus", "platform"]);
  const { user, onStatus, platform = browser } = options;
  if (typeof user !== "string") throw badValue("user", user, "a text; an empty one if there are no users");
  if (onStatus !== undefined && typeof onStatus !== "function") throw badValue("onStatus", onStatus, "a function");
  return {
    select(kinds, endpoint, owner) {
      const name = JSON.stringify(["unichannel", VERSION, endpoint.key, user]);
      return shareSession({ kinds, endpoint, owner, platform, name, onStatus });
    },
  };
}
