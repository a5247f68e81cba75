/** Exported files as other programs draw them: PDF by poppler's pdftoppm; `browser.ts` has SVG in Chromium. */

export async function works(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export const havePoppler = await works("pdftoppm", "-v");
if (!havePoppler) console.log("skipped: PDF drawn by pdftoppm; it is not installed (Debian: poppler-utils)");

export const haveLatex = await works("pdflatex", "--version");
if (!haveLatex) {
  console.log("skipped: LaTeX tables compiled; pdflatex is not installed (Debian: texlive-latex-recommended)");
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
