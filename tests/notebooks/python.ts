/**
 * Pythons of the notebooks' own. Jupyter is a Python program: `.venv` holds its headless client, by which the tests
 * execute notebooks as people's tools do, and `.lab/python` JupyterLab.
 */

import { dirname } from "node:path";

export interface Environment {
  /** Where it lies, in the project's folder. */
  readonly folder: string;
  /** The file with its pinned packages. */
  readonly requirements: string;
  /** A module that is there when the packages are. */
  readonly module: string;
}

/** What the tests execute notebooks with. */
export const headless: Environment = {
  folder: ".venv",
  requirements: "tests/notebooks/requirements.txt",
  module: "nbclient",
};

/** The interpreter inside an environment. */
export function interpreter({ folder }: Environment): string {
  return Deno.build.os === "windows" ? `${folder}\\Scripts\\python.exe` : `${folder}/bin/python`;
}

/** The interpreter inside `.venv`. */
export const python = interpreter(headless);

async function succeeds(command: string, ...args: string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args, stdout: "null", stderr: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function run(why: string, command: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  if (success) return;
  console.error(new TextDecoder().decode(stdout), new TextDecoder().decode(stderr));
  throw new Error(`Cannot ${why}: the lines above say why.`);
}

async function systemPython(): Promise<string> {
  for (const name of ["python3", "python"]) {
    if (await succeeds(name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))")) return name;
  }
  throw new Error("Cannot find Python 3.11 or newer, in which Jupyter runs: install python3.");
}

/** Makes an environment and installs its pinned packages, unless they are there already. */
export async function ensurePython(environment = headless): Promise<void> {
  const { folder, requirements, module } = environment;
  const stamp = `${folder}/fewstep-requirements.txt`;
  const python = interpreter(environment);
  const wanted = await Deno.readTextFile(requirements);
  const present = await Deno.readTextFile(stamp).catch(() => undefined);
  if (present === wanted && await succeeds(python, "-c", `import ${module}`)) {
    console.log("as pinned already");
    return;
  }
  const system = await systemPython();
  if (!await succeeds(system, "-c", "import venv, ensurepip")) {
    throw new Error(
      "Cannot make a Python environment: the venv module is missing. On Debian: apt install python3-venv.",
    );
  }
  console.log(`making ${folder} with ${system} -m venv`);
  await Deno.mkdir(dirname(folder), { recursive: true });
  await run(`make ${folder}`, system, "-m", "venv", "--clear", folder);
  console.log(`installing ${requirements}`);
  await run(`install ${requirements}`, python, "-m", "pip", "install", "--quiet", "-r", requirements);
  await Deno.writeTextFile(stamp, wanted);
}
