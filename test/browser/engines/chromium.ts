// Chromium, through the Chrome DevTools Protocol (https://chromedevtools.github.io/devtools-protocol/).

import { needs } from "../../support/needs.ts";
import type { Browser, Engine, Page } from "./engine.ts";
import { JsonRpc } from "./json-rpc.ts";
import { Program, temporaryFolder } from "./program.ts";

/** Only flags that do not change how a page behaves. */
const ARGS = [
  "--headless",
  // Tests run as root in CI, where Chromium has no sandbox.
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

export const chromium: Engine = {
  name: "Chromium",
  skip: needs("chromium"),
  lacks: {},
  async launch() {
    const profile = await temporaryFolder("chromium");
    const program = new Program("chromium", [...ARGS, `--user-data-dir=${profile.path}`, "about:blank"]);
    const rpc = await JsonRpc.connect(await program.says(/DevTools listening on (ws:\S+)/));
    const { product } = await rpc.call<{ product: string }>("Browser.getVersion");
    return new Chromium(product.replace(/^\w+\//, "Chromium "), program, rpc, profile.remove);
  },
};

interface NavigationHistory {
  readonly currentIndex: number;
  readonly entries: readonly { readonly id: number }[];
}

interface Evaluation {
  readonly result: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string; readonly exception?: { readonly description?: string } };
}

class Chromium implements Browser {
  readonly version: string;
  readonly #program: Program;
  readonly #rpc: JsonRpc;
  readonly #removeProfile: () => Promise<void>;

  constructor(version: string, program: Program, rpc: JsonRpc, removeProfile: () => Promise<void>) {
    this.version = version;
    this.#program = program;
    this.#rpc = rpc;
    this.#removeProfile = removeProfile;
  }

  async newPage(): Promise<Page> {
    const { targetId } = await this.#rpc.call<{ targetId: string }>("Target.createTarget", {
      url: "about:blank",
      newWindow: true,
    });
    const { sessionId } = await this.#rpc.call<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    });
    return new ChromiumPage(this.#rpc, targetId, sessionId);
  }

  sleep(): void {
    this.#program.sleep();
  }

  wake(): void {
    this.#program.wake();
  }

  async close(): Promise<void> {
    this.#rpc.close();
    await this.#program.stop();
    await this.#removeProfile();
  }
}

class ChromiumPage implements Page {
  readonly #rpc: JsonRpc;
  readonly #targetId: string;
  readonly #sessionId: string;

  constructor(rpc: JsonRpc, targetId: string, sessionId: string) {
    this.#rpc = rpc;
    this.#targetId = targetId;
    this.#sessionId = sessionId;
  }

  async goto(url: string): Promise<void> {
    const { errorText } = await this.#call<{ errorText?: string }>("Page.navigate", { url });
    if (errorText !== undefined) throw new Error(`${url}: ${errorText}`);
    while ((await this.#readyUrl()) === undefined);
  }

  async back(): Promise<void> {
    const { currentIndex, entries } = await this.#call<NavigationHistory>("Page.getNavigationHistory");
    await this.#call("Page.navigateToHistoryEntry", { entryId: entries[currentIndex - 1]!.id });
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#call<Evaluation>("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async setHidden(isHidden: boolean): Promise<void> {
    const { windowId } = await this.#rpc.call<{ windowId: number }>("Browser.getWindowForTarget", {
      targetId: this.#targetId,
    });
    const bounds = { windowState: isHidden ? "minimized" : "normal" };
    await this.#rpc.call("Browser.setWindowBounds", { windowId, bounds });
  }

  async setOffline(offline: boolean): Promise<void> {
    const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
    await this.#call("Network.emulateNetworkConditions", { offline, ...unlimited });
  }

  async setFrozen(isFrozen: boolean): Promise<void> {
    await this.#call("Page.setWebLifecycleState", { state: isFrozen ? "frozen" : "active" });
  }

  async crash(): Promise<void> {
    // The page does not live to answer.
    void this.#call("Page.crash").catch(() => {});
    while (!(await this.#isCrashed())) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async close(): Promise<void> {
    await this.#rpc.call("Target.closeTarget", { targetId: this.#targetId });
  }

  async #readyUrl(): Promise<string | undefined> {
    return (await this.evaluate("document.readyState === 'complete' ? location.href : undefined")) as
      | string
      | undefined;
  }

  async #isCrashed(): Promise<boolean> {
    const answer = this.evaluate("1").then(
      () => false,
      () => true,
    );
    const silence = new Promise<boolean>((resolve) => setTimeout(() => resolve(true), 500));
    return Promise.race([answer, silence]);
  }

  #call<T>(method: string, params?: Readonly<Record<string, unknown>>): Promise<T> {
    return this.#rpc.call(method, params, { sessionId: this.#sessionId });
  }
}
