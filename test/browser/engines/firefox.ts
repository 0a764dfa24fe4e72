// Firefox, through WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), which it speaks itself.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { needs } from "../../support/needs.ts";
import type { Browser, Engine, Page } from "./engine.ts";
import { JsonRpc } from "./json-rpc.ts";
import { Program, temporaryFolder } from "./program.ts";

const PREFERENCES = {
  // BiDi only.
  "remote.active-protocols": 1,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "toolkit.telemetry.enabled": false,
  "app.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
};

export const firefox: Engine = {
  name: "Firefox",
  skip: needs("firefox-esr"),
  lacks: {
    crash: "WebDriver BiDi has no command for it",
    freeze: "Firefox does not freeze hidden pages",
    cachesConnected: "Firefox keeps no page in its back-forward cache that has an open WebSocket or request",
  },
  async launch() {
    const profile = await temporaryFolder("firefox");
    const preferences = Object.entries(PREFERENCES).map(([name, value]) => `user_pref("${name}", ${value});\n`);
    await writeFile(join(profile.path, "user.js"), preferences.join(""));
    const args = [
      "--headless",
      "--no-remote",
      "--profile",
      profile.path,
      "--remote-debugging-port",
      "0",
      "about:blank",
    ];
    const program = new Program("firefox-esr", args);
    const url = await program.says(/WebDriver BiDi listening on (ws:\S+)/);
    const rpc = await JsonRpc.connect(`${url}/session`);
    const { capabilities } = await rpc.call<NewSession>("session.new", { capabilities: {} });
    return new Firefox(`Firefox ${capabilities.browserVersion}`, program, rpc, profile.remove);
  },
};

interface NewSession {
  readonly capabilities: { readonly browserVersion: string };
}

/** A page of Firefox, in the words of BiDi. */
interface Context {
  readonly context: string;
}

interface Evaluation {
  readonly result?: { readonly value?: string };
  readonly exceptionDetails?: { readonly text: string };
}

class Firefox implements Browser {
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
    const { context } = await this.#rpc.call<Context>("browsingContext.create", { type: "window" });
    return new FirefoxPage(this.#rpc, context);
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

class FirefoxPage implements Page {
  readonly #rpc: JsonRpc;
  readonly #context: string;
  /** The tab in front of this page. */
  #cover: string | undefined;

  constructor(rpc: JsonRpc, context: string) {
    this.#rpc = rpc;
    this.#context = context;
  }

  async goto(url: string): Promise<void> {
    await this.#rpc.call("browsingContext.navigate", { context: this.#context, url, wait: "complete" });
  }

  async back(): Promise<void> {
    await this.#rpc.call("browsingContext.traverseHistory", { context: this.#context, delta: -1 });
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result, exceptionDetails } = await this.#rpc.call<Evaluation>("script.evaluate", {
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value))`,
      target: { context: this.#context },
      awaitPromise: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result?.value === undefined ? undefined : JSON.parse(result.value);
  }

  async setHidden(isHidden: boolean): Promise<void> {
    if (isHidden) {
      const referenceContext = this.#context;
      this.#cover = (
        await this.#rpc.call<Context>("browsingContext.create", { type: "tab", referenceContext })
      ).context;
    } else {
      await this.#rpc.call("browsingContext.close", { context: this.#cover });
      await this.#rpc.call("browsingContext.activate", { context: this.#context });
    }
  }

  async setOffline(isOffline: boolean): Promise<void> {
    const networkConditions = isOffline ? { type: "offline" } : null;
    await this.#rpc.call("emulation.setNetworkConditions", { networkConditions, contexts: [this.#context] });
  }

  setFrozen(): Promise<void> {
    throw new Error("Firefox does not freeze a page");
  }

  crash(): Promise<void> {
    throw new Error("WebDriver BiDi has no command for it");
  }

  async close(): Promise<void> {
    await this.#rpc.call("browsingContext.close", { context: this.#context });
  }
}
