/**
 * A Python of the tests' own, in `.venv`: the headless Jupyter client is a Python program, and notebooks are
 * executed the way that people's tools execute them.
 */

const folder = ".venv";
const requirements = "tests/notebooks/requirements.txt";
const stamp = `${folder}/fewstep-requirements.txt`;

/** The interpreter inside `.venv`. */
export const python = Deno.build.os === "windows" ? `${folder}\\Scripts\\python.exe` : `${folder}/bin/python`;

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
  throw new Error("Cannot find Python 3.11 or newer, which executes the notebooks in the tests: install python3.");
}

/** Makes `.venv` and installs the pinned packages, unless they are there already. */
export async function ensurePython(): Promise<void> {
  const wanted = await Deno.readTextFile(requirements);
  const present = await Deno.readTextFile(stamp).catch(() => undefined);
  if (present === wanted && await succeeds(python, "-c", "import nbclient")) {
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
  await run(`make ${folder}`, system, "-m", "venv", "--clear", folder);
  console.log(`installing ${requirements}`);
  await run(`install ${requirements}`, python, "-m", "pip", "install", "--quiet", "-r", requirements);
  await Deno.writeTextFile(stamp, wanted);
}
