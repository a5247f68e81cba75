/** What the kit writes in headless Chromium: SVG drawn, and pages with what they ask for and complain about noted. */

import { type Browser, chromium, type Page } from "playwright-core";
import { fontBytes } from "../../lib/view/text.ts";
import { works } from "./rendered.ts";

const executablePath = Deno.env.get("FEWSTEP_CHROMIUM") ?? "/usr/bin/chromium";

export const haveChromium = await works(executablePath, "--version");
if (!haveChromium) {
  console.log(`skipped: what needs a browser; no Chromium at ${executablePath} (FEWSTEP_CHROMIUM names it)`);
}

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
  "--disable-lcd-text",
  "--font-render-hinting=none",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * A browser that has opened a page. Chromium may end before it has where the machine is short of memory; that says
 * nothing about what is tested, so it is started once more, and that is told.
 */
export async function launch(): Promise<Browser> {
  try {
    return await started();
  } catch (error) {
    console.log(`Chromium did not get to its first page and is started once more: ${String(error).split("\n")[0]}`);
    return await started();
  }
}

async function started(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath, args: quiet });
  try {
    await (await browser.newPage()).close();
    return browser;
  } catch (error) {
    await browser.close();
    throw error;
  }
}

/** A PNG with two device pixels per CSS pixel. */
export async function chromiumPng(browser: Browser, svg: string): Promise<Uint8Array> {
  const page = await browser.newPage({ deviceScaleFactor: 2 });
  await page.setContent(`<body style="margin:0;background:#000">${svg}</body>`);
  const png = await page.locator("svg").first().screenshot();
  await page.close();
  return new Uint8Array(png);
}

/** The whole page as it looks with the kit's own font, since a system's differs from machine to machine. */
export async function pagePng(page: Page): Promise<Uint8Array> {
  const inter = fontBytes("@fontsource/inter/files/inter-latin-400-normal.woff").toBase64();
  // As bytes, since a page may forbid to load any font.
  await page.evaluate(`
    const bytes = Uint8Array.from(atob("${inter}"), (letter) => letter.charCodeAt(0));
    new FontFace("Inter of the kit", bytes).load().then((face) => void document.fonts.add(face))`);
  await page.addStyleTag({ content: '* { font-family: "Inter of the kit" !important; transition: none !important }' });
  return new Uint8Array(await page.screenshot({ fullPage: true }));
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
