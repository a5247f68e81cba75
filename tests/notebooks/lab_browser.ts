/** JupyterLab in headless Chromium, as its users see it: a server of the tests' own, a page a notebook. */

import { type Browser, type Page } from "playwright-core";
import { launch } from "../view/browser.ts";
import type { Output } from "./cells.ts";
import { installLab, startLab } from "./lab.ts";

export interface SeenCell {
  readonly source: string;
  /** As the notebook keeps them. */
  readonly saved: Output[];
  /** Words under the cell, on the page. */
  readonly words: string;
  /** Pictures under the cell, on the page: their own width, and the one that they are drawn at; CSS pixels. */
  readonly pictures: readonly { readonly width: number; readonly shown: number }[];
}

/** Expressions for the page's own JupyterLab: the application, which `expose_app_in_browser` puts there. */
const panel = "window.jupyterapp?.shell?.currentWidget";
const codeCells = `${panel}.content.widgets.filter(({ model }) => model.type === "code")`;
const inPage = {
  ready: `${panel}?.sessionContext?.session?.kernel?.status === "idle" && ${panel}.content?.model?.cells?.length > 0`,
  ended: `${panel}.sessionContext.session.kernel.status === "idle" && ${codeCells}.every(({ model }) =>
    !model.sharedModel.source.trim() || model.executionCount !== null && model.executionState !== "running")`,
  drawn: "[...document.images].every((image) => image.complete)",
  cells: `${codeCells}.map((cell) => ({
    source: cell.model.sharedModel.source,
    saved: cell.model.outputs.toJSON(),
    words: cell.outputArea.node.innerText,
    pictures: [...cell.outputArea.node.querySelectorAll("img")].map((image) => ({
      width: image.naturalWidth,
      shown: image.getBoundingClientRect().width,
    })),
  }))`,
  toTop: `${panel}.content.node.querySelectorAll("*").forEach((element) => element.scrollTop = 0)`,
  height: `${panel}.content.node.querySelector(".jp-WindowedPanel-inner, .jp-WindowedPanel-viewport").scrollHeight`,
} as const;

/** Milliseconds in which a kernel starts and a short cell ends, on a machine that has other things to do. */
const patience = 180_000;

export class NotebookPage {
  constructor(readonly page: Page) {}

  /** As the menu does it: Run, Run All Cells. */
  async runAll(): Promise<void> {
    await this.page.getByRole("menuitem", { name: "Run", exact: true }).click();
    await this.page.getByRole("menuitem", { name: "Run All Cells", exact: true }).click();
  }

  /** Clicks into a code cell, counted from 0, and runs it as people do. */
  async runCell(index: number): Promise<void> {
    await this.page.locator(".jp-CodeCell").nth(index).locator(".cm-content").click();
    await this.page.keyboard.press("Shift+Enter");
  }

  /** The toolbar's square. */
  async stop(): Promise<void> {
    await this.page.locator('[data-command="notebook:interrupt-kernel"]').first().click();
  }

  /** Until such words stand under a code cell, counted from 0. */
  async sees(index: number, words: RegExp): Promise<void> {
    const outputs = this.page.locator(".jp-CodeCell").nth(index).locator(".jp-OutputArea");
    await outputs.filter({ hasText: words }).first().waitFor({ timeout: patience });
  }

  /** Until every cell has ended and every picture is drawn. @param milliseconds that it may take */
  async ended(milliseconds: number): Promise<void> {
    await this.page.waitForFunction(inPage.ended, undefined, { timeout: milliseconds, polling: 500 });
    await this.page.waitForFunction(inPage.drawn);
  }

  /** The code cells and what is under them. */
  async cells(): Promise<SeenCell[]> {
    return await this.page.evaluate<SeenCell[]>(inPage.cells);
  }

  /** Moves every slider one to the left, by the keyboard. @returns what each showed before and after; one frame at a time */
  async moveSliders(): Promise<[before: string, after: string][]> {
    const moved: [string, string][] = [];
    for (const figure of await this.page.locator("figure:has(input[type=range])").all()) {
      const seen = async () => {
        const labels = await figure.locator("img:visible").evaluateAll((images) =>
          images.map((image) => image.getAttribute("data-label"))
        );
        return labels.join(" and ");
      };
      const before = await seen();
      await figure.locator("input[type=range]").press("ArrowLeft");
      moved.push([before, await seen()]);
    }
    return moved;
  }

  /** The whole notebook, as one picture. */
  async screenshot(path: string): Promise<void> {
    const height = await this.page.evaluate<number>(inPage.height);
    await this.page.setViewportSize({ width: 1280, height: Math.min(12_000, height + 200) });
    await this.page.evaluate(inPage.toTop);
    await this.page.screenshot({ path });
  }

  async close(): Promise<void> {
    await this.page.close();
  }
}

export class Lab {
  readonly #browser: Browser;
  readonly #address: string;
  readonly #token: string;

  constructor(browser: Browser, address: string, token: string) {
    this.#browser = browser;
    this.#address = address;
    this.#token = token;
  }

  /** Opens a notebook of the project and waits for its kernel. */
  async open(path: string): Promise<NotebookPage> {
    const page = await this.#browser.newPage({ viewport: { width: 1280, height: 1000 } });
    await page.goto(`${this.#address}/lab/tree/${path}?token=${this.#token}&reset`);
    await page.waitForFunction(inPage.ready, undefined, { timeout: 120_000, polling: 250 });
    return new NotebookPage(page);
  }
}

/** Hands out a JupyterLab on a free port of this machine alone, and stops it, its kernels and the browser afterwards. */
export async function withLab(use: (lab: Lab) => Promise<void>): Promise<void> {
  await installLab();
  const port = freePort();
  const token = crypto.randomUUID();
  const address = `http://127.0.0.1:${port}`;
  const server = startLab([
    "--no-browser",
    "--ServerApp.ip=127.0.0.1",
    `--ServerApp.port=${port}`,
    "--ServerApp.port_retries=0",
    `--IdentityProvider.token=${token}`,
    "--LabApp.expose_app_in_browser=True",
    "--ContentsManager.allow_hidden=True",
    ...Deno.uid() === 0 ? ["--allow-root"] : [],
  ], "null");
  try {
    await answers(`${address}/api/status?token=${token}`, server);
    const browser = await launch();
    try {
      await use(new Lab(browser, address, token));
    } finally {
      await browser.close();
    }
  } finally {
    server.kill("SIGTERM"); // ends its kernels too
    const hard = setTimeout(() => server.kill("SIGKILL"), 30_000);
    await server.status;
    clearTimeout(hard);
  }
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

async function answers(address: string, server: Deno.ChildProcess): Promise<void> {
  let ended: number | undefined;
  server.status.then(({ code }) => ended = code);
  for (const end = performance.now() + 120_000; performance.now() < end;) {
    if (ended !== undefined) throw new Error(`Cannot test JupyterLab: its server ended with ${ended}.`);
    const answer = await fetch(address).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error("Cannot test JupyterLab: its server did not answer within 2 minutes.");
}
