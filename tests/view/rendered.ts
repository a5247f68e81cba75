/** Exported files as other programs draw them: SVG in headless Chromium, PDF by poppler's pdftoppm. */

import { chromium } from "playwright-core";

async function works(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const executablePath = Deno.env.get("FEWSTEP_CHROMIUM") ?? "/usr/bin/chromium";

export const haveChromium = await works(executablePath, "--version");
if (!haveChromium) {
  console.log(`skipped: SVG in a browser; no Chromium at ${executablePath} (FEWSTEP_CHROMIUM names it)`);
}

export const havePoppler = await works("pdftoppm", "-v");
if (!havePoppler) console.log("skipped: PDF drawn by pdftoppm; it is not installed (Debian: poppler-utils)");

export const haveLatex = await works("pdflatex", "--version");
if (!haveLatex) {
  console.log("skipped: LaTeX tables compiled; pdflatex is not installed (Debian: texlive-latex-recommended)");
}

/** A PNG with two device pixels per CSS pixel. */
export async function chromiumPng(svg: string): Promise<Uint8Array> {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  try {
    const page = await browser.newPage({ deviceScaleFactor: 2 });
    await page.setContent(`<body style="margin:0;background:#000">${svg}</body>`);
    return new Uint8Array(await page.locator("svg").first().screenshot());
  } finally {
    await browser.close();
  }
}

/** A PNG with two device pixels per CSS pixel, a CSS pixel being 1/96 inch. */
export async function popplerPng(pdf: Uint8Array): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/figure.pdf`, pdf);
    await run("pdftoppm", "-r", "192", "-png", "-singlefile", `${folder}/figure.pdf`, `${folder}/figure`);
    return await Deno.readFile(`${folder}/figure.png`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** @returns what the program prints. @throws with what it complains of */
export async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${decode(stderr)}${decode(stdout)}`);
  return decode(stdout);
}
