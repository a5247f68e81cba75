/** Pages of the kit's own in headless Chromium, from a file, with what they ask for and complain about written down. */

import { type Browser, chromium, type Page } from "playwright-core";
import { haveChromium } from "./rendered.ts";

const executablePath = Deno.env.get("FEWSTEP_CHROMIUM") ?? "/usr/bin/chromium";

export { haveChromium };

export interface Opened {
  readonly page: Page;
  /** Everything that the page asked for beside itself. */
  readonly requests: readonly string[];
  /** Errors and warnings of its console, and uncaught ones. */
  readonly complaints: readonly string[];
}

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function launch(): Promise<Browser> {
  return await chromium.launch({ executablePath, args: quiet });
}

/** Opens a file as a reader would, by its path, and hands it to `look`. */
export async function opened(path: string, look: (opened: Opened) => Promise<void>): Promise<void> {
  const browser = await launch();
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const [requests, complaints]: [string[], string[]] = [[], []];
    const own = `file://${await Deno.realPath(path)}`;
    page.on("request", (request) => {
      if (request.url() !== own && !request.url().startsWith("data:")) requests.push(request.url());
    });
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(own);
    await look({ page, requests, complaints });
  } finally {
    await browser.close();
  }
}
