/** Jupyter's kernel of this very Deno, whatever kernels the machine has. */

/**
 * Writes the kernel's description into a Jupyter data folder.
 *
 * @param name by which notebooks ask for it
 */
export async function writeKernel(data: string, name: string): Promise<void> {
  await Deno.mkdir(`${data}/kernels/${name}`, { recursive: true });
  await Deno.writeTextFile(
    `${data}/kernels/${name}/kernel.json`,
    JSON.stringify({
      argv: [Deno.execPath(), "jupyter", "--kernel", "--conn", "{connection_file}"],
      display_name: "Deno",
      language: "typescript",
      env: { MALLOC_MMAP_THRESHOLD_: "65536", RUST_BACKTRACE: "0" },
    }),
  );
}
