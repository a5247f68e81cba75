/**
 * `deno task lab [OPTIONS OF JUPYTER LAB]`: JupyterLab on notebooks/, with a kernel of this very Deno.
 *
 * Everything of it lies in `.lab`, which git ignores: the Python with JupyterLab, the kernel, settings, running
 * servers. The user's own Jupyter, if there is one, is neither read nor changed.
 */

import { resolve } from "node:path";
import { writeKernel } from "./kernel.ts";
import { ensurePython, type Environment, interpreter } from "./python.ts";

const folder = ".lab";

const lab: Environment = {
  folder: `${folder}/python`,
  requirements: "tests/notebooks/lab_requirements.txt",
  module: "jupyterlab",
};

/**
 * Settings of JupyterLab's own extensions: it asks no server for news or newer versions, and its notebooks keep every
 * cell on the page, so that the browser's own search and printing find all of them.
 */
const settings = {
  "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false, doNotDisturbMode: true },
  "@jupyterlab/notebook-extension:tracker": { windowingMode: "none" },
};

/** Installs JupyterLab where it is not yet, and puts the kernel and the settings into its folders. */
export async function installLab(): Promise<void> {
  await ensurePython(lab);
  await writeKernel(`${folder}/data`, "deno");
  await Deno.mkdir(`${lab.folder}/share/jupyter/lab/settings`, { recursive: true });
  await Deno.writeTextFile(`${lab.folder}/share/jupyter/lab/settings/overrides.json`, JSON.stringify(settings));
}

/** JupyterLab on the project's folder. `installLab` comes first. */
export function startLab(args: readonly string[], output: "inherit" | "null" = "inherit"): Deno.ChildProcess {
  const own = resolve(folder);
  return new Deno.Command(interpreter(lab), {
    args: [
      "-m",
      "jupyterlab",
      "--LabApp.default_url=/lab/tree/notebooks",
      "--ServerApp.root_dir=.",
      `--LabApp.user_settings_dir=${own}/settings`,
      `--LabApp.workspaces_dir=${own}/workspaces`,
      ...args,
    ],
    env: {
      JUPYTER_PATH: `${own}/data`,
      JUPYTER_DATA_DIR: `${own}/data`,
      JUPYTER_CONFIG_DIR: `${own}/config`,
      JUPYTER_RUNTIME_DIR: `${own}/runtime`,
    },
    stdin: output === "inherit" ? "inherit" : "null",
    stdout: output,
    stderr: output,
  }).spawn();
}

async function main(): Promise<number> {
  console.log("── packages (npm, pinned in deno.json and deno.lock)");
  const { success } = await new Deno.Command(Deno.execPath(), { args: ["install", "--frozen"] }).spawn().status;
  if (!success) throw new Error("Cannot install the npm packages of deno.json: see the lines above.");
  console.log(`── JupyterLab (${lab.folder}, pinned in ${lab.requirements})`);
  await installLab();
  console.log("── JupyterLab on notebooks/; Ctrl+C ends it");
  Deno.addSignalListener("SIGINT", () => {}); // the server hears it too, asks, and ends; this process waits for it
  return (await startLab(Deno.args).status).code;
}

if (import.meta.main) {
  try {
    Deno.exit(await main());
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
