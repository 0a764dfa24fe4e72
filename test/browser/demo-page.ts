// The demo's page, opened for one test.

import type { TestContext } from "node:test";
import type { Page } from "playwright-core";
import { startService } from "../../demo/service.ts";
import { newPage } from "./playwright.ts";

interface Demo {
  readonly page: Page;
  readonly url: string;
  /** Errors of the page, among them scripts and styles that its policy refused. */
  readonly complaints: string[];
  /** Stops the servers. */
  stop(): Promise<void>;
}

const DESKTOP = { width: 1280, height: 800 };

export async function openDemo(t: TestContext, viewport: { width: number; height: number } = DESKTOP): Promise<Demo> {
  const service = await startService("127.0.0.1", 0);
  t.after(() => service.stop());
  const { url } = service;
  const page = await newPage(t);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.setViewportSize(viewport);
  await page.goto(url);
  return { page, url, complaints, stop: () => service.stop() };
}
