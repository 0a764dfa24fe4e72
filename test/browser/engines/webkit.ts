// WebKit: the MiniBrowser of WebKitGTK on a display of Xvfb, through WebDriver (https://www.w3.org/TR/webdriver2/).

import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { needs, pathOf } from "../../support/needs.ts";
import type { Browser, Engine, Page } from "./engine.ts";
import { Program } from "./program.ts";

type Programs = readonly [driver: Program, xvfb: Program];

const ENV = { GDK_BACKEND: "x11", NO_AT_BRIDGE: "1", LIBGL_ALWAYS_SOFTWARE: "1", NO_PROXY: "127.0.0.1,localhost" };

export const webkit: Engine = {
  name: "WebKit",
  skip: needs("WebKitWebDriver") || needs("MiniBrowser", miniBrowserFolders()) || needs("Xvfb"),
  lacks: {
    crash: "WebDriver has no command for it",
    networkSwitch: "WebKitGTK asks the system whether there is a network, and WebDriver has no command for it",
    showsFirstBytes: "WebKitGTK shows a document when it has 512 bytes, or all of it",
    freeze: "WebKitGTK does not freeze hidden pages",
  },
  async launch() {
    const xvfb = new Program("Xvfb", ["-displayfd", "3", "-nolisten", "tcp"]);
    const display = await xvfb.says(/^(\d+)\n/);
    const port = await freePort();
    const driver = new Program("WebKitWebDriver", [`--port=${port}`], { ...ENV, DISPLAY: `:${display}` });
    const webDriver = new WebDriver(`http://127.0.0.1:${port}`);
    await webDriver.isReady();
    const options = { binary: pathOf("MiniBrowser", miniBrowserFolders()), args: ["--automation"] };
    const { sessionId, capabilities } = await webDriver.call<NewSession>("POST", "/session", {
      capabilities: { alwaysMatch: { "webkitgtk:browserOptions": options, timeouts: { script: 60_000 } } },
    });
    const path = `/session/${sessionId}`;
    const firstHandle = await webDriver.call<string>("GET", `${path}/window`);
    return new WebKit(`WebKitGTK ${capabilities.browserVersion}`, [driver, xvfb], webDriver, path, firstHandle);
  },
};

/** The folders where Debian keeps the MiniBrowser, for each architecture and version. */
function miniBrowserFolders(): string[] {
  const libraries = readdirSync("/usr/lib", { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return libraries.flatMap(({ name }) => {
    const folders = readdirSync(join("/usr/lib", name)).filter((folder) => /^webkit2?gtk-[\d.]+$/.test(folder));
    return folders.map((folder) => join("/usr/lib", name, folder));
  });
}

interface NewSession {
  readonly sessionId: string;
  readonly capabilities: { readonly browserVersion: string };
}

interface Failure {
  readonly error?: string;
  readonly message?: string;
}

class WebDriver {
  readonly #url: string;
  /** A session has one current window: commands of several pages take turns. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#url = url;
  }

  async isReady(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        return void (await this.call("GET", "/status"));
      } catch (error) {
        if (attempt === 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async call<T = unknown>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
    const response = await fetch(`${this.#url}${path}`, { method, body: body ? JSON.stringify(body) : null });
    const { value } = (await response.json()) as { value: T & Failure };
    if (!response.ok) throw new Error(`${path}: ${value.error}, ${value.message}`);
    return value;
  }

  /** Runs `fn` when all that was asked before is done. */
  inTurn<T>(fn: () => Promise<T>): Promise<T> {
    const result = this.#last.then(fn);
    this.#last = result.catch(() => {});
    return result;
  }
}

class WebKit implements Browser {
  readonly version: string;
  readonly #programs: Programs;
  readonly #driver: WebDriver;
  readonly #path: string;
  readonly #firstHandle: string;

  constructor(version: string, programs: Programs, driver: WebDriver, path: string, firstHandle: string) {
    this.version = version;
    this.#programs = programs;
    this.#driver = driver;
    this.#path = path;
    this.#firstHandle = firstHandle;
  }

  async newPage(): Promise<Page> {
    // A command needs a current window, and the last one may be closed.
    const first = new WebKitPage(this.#driver, this.#path, this.#firstHandle);
    const { handle } = await first.call<{ handle: string }>("POST", "/window/new", { type: "window" });
    return new WebKitPage(this.#driver, this.#path, handle);
  }

  sleep(): void {
    this.#programs[0].sleep();
  }

  wake(): void {
    this.#programs[0].wake();
  }

  async close(): Promise<void> {
    await this.#driver.call("DELETE", this.#path).catch(() => {});
    for (const program of this.#programs) await program.stop();
  }
}

class WebKitPage implements Page {
  readonly #driver: WebDriver;
  readonly #path: string;
  readonly #handle: string;

  constructor(driver: WebDriver, path: string, handle: string) {
    this.#driver = driver;
    this.#path = path;
    this.#handle = handle;
  }

  async goto(url: string): Promise<void> {
    await this.call("POST", "/url", { url });
  }

  async back(): Promise<void> {
    await this.call("POST", "/back", {});
  }

  async evaluate(expression: string): Promise<unknown> {
    const script = `const done = arguments[0];
      (async () => (${expression}))().then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await this.call<{ value: unknown; error?: string }>("POST", "/execute/async", {
      script,
      args: [],
    });
    if (error !== undefined) throw new Error(error);
    return value;
  }

  async setHidden(isHidden: boolean): Promise<void> {
    await this.call("POST", isHidden ? "/window/minimize" : "/window/maximize", {});
  }

  setOffline(): Promise<void> {
    throw new Error("WebDriver has no command for the network of WebKitGTK");
  }

  setFrozen(): Promise<void> {
    throw new Error("WebKitGTK does not freeze a page");
  }

  crash(): Promise<void> {
    throw new Error("WebDriver has no command for it");
  }

  async close(): Promise<void> {
    await this.call("DELETE", "/window");
  }

  /** Sends a command about this window. */
  call<T = unknown>(method: "GET" | "POST" | "DELETE", path: string, body?: object): Promise<T> {
    return this.#driver.inTurn(async () => {
      await this.#driver.call("POST", `${this.#path}/window`, { handle: this.#handle });
      return this.#driver.call<T>(method, `${this.#path}${path}`, body);
    });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
