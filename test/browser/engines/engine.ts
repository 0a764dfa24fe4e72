// The commands that the browser tests give to a browser, one interface for all engines. An engine that cannot do something
// lists it in `lacks`, with the reason: the tests that need it are skipped, and say why.

/** The abilities that not every engine has. */
export type Capability =
  /** The browser can be told that there is no network: it fires `offline`, and `navigator.onLine` is false. */
  | "networkSwitch"
  /** The browser freezes a hidden page (WICG Page Lifecycle): its scripts and timers stop until `resume`. */
  | "freeze"
  /** The process of a page can be ended. */
  | "crash"
  /** A page with an open connection goes to the back-forward cache. */
  | "cachesConnected"
  /** The first bytes of a document are shown at once, however few they are. */
  | "showsFirstBytes";

/** A program that runs pages. One is started for each test file, and stopped with it. */
export interface Browser {
  /** For example "Firefox 153.8.0". */
  readonly version: string;
  /** Opens an empty page in a window of its own, so that one page does not hide another. */
  newPage(): Promise<Page>;
  /** Stops every process of the browser, as a computer that sleeps does, until `wake`. */
  sleep(): void;
  wake(): void;
  close(): Promise<void>;
}

export interface Page {
  /** Resolves when the page has loaded. */
  goto(url: string): Promise<void>;
  /** Goes back one entry of the history. */
  back(): Promise<void>;
  /** Returns the value of a JavaScript expression, or of its promise. The value must survive JSON. */
  evaluate(expression: string): Promise<unknown>;
  /** Hides the page, as another tab in front of it or a minimized window does, and shows it again. */
  setHidden(isHidden: boolean): Promise<void>;
  /** Needs `networkSwitch`. */
  setOffline(isOffline: boolean): Promise<void>;
  /** Needs `freeze`. */
  setFrozen(isFrozen: boolean): Promise<void>;
  /** Needs `crash`: ends the process of the page. */
  crash(): Promise<void>;
  close(): Promise<void>;
}

export interface Engine {
  readonly name: "Chromium" | "Firefox" | "WebKit";
  /** False if its programs are installed; otherwise the reason to skip its tests. */
  readonly skip: string | false;
  readonly lacks: Readonly<Partial<Record<Capability, string>>>;
  launch(): Promise<Browser>;
}

/** Far above the time that any condition needs on a busy machine. */
const PATIENCE_MS = 60_000;
const POLL_MS = 20;

/** Resolves when the expression is true in the page. A page that is between two documents is asked again. */
export async function waitFor(page: Page, expression: string, what: string = expression): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const seen = await page.evaluate(expression).catch((error: Error) => error);
    if (seen === true) return;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}; last seen: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Runs a function in the page. The function sees nothing of the test: its variables do not exist there. */
export async function run<T>(page: Page, fn: () => T | Promise<T>): Promise<T> {
  return (await page.evaluate(`(${fn})()`)) as T;
}
