import { equal, ok } from "../assert.ts";
import { isAllowed, packages } from "./packages.ts";
import { sbom } from "./sbom.ts";

const config: { readonly imports: Readonly<Record<string, string>>; readonly allowScripts?: unknown } = JSON.parse(
  Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
);

Deno.test("every installed package's licence is on the list; what is not installed is another system's build", async () => {
  const all = await packages();
  ok(all.length > 100, `${all.length} packages`);
  equal(
    all.filter(({ licence }) => licence !== undefined && !isAllowed(licence)).map((
      { name, licence },
    ) => [name, licence]),
    [],
  );
  // Only native builds come in one package a system.
  const families = /^(@img\/sharp-|@emnapi\/runtime|nodejs-polars-|@msgpackr-extract\/)/;
  equal(all.filter(({ elsewhere, name }) => elsewhere && !families.test(name)).map(({ name }) => name), []);
});

Deno.test("a licence of two is allowed by both, one of a choice by one", () => {
  equal(["MIT", "(MIT OR GPL-3.0)", "Apache-2.0 AND BSD-3-Clause"].map(isAllowed), [true, true, true]);
  equal(["GPL-3.0", "MIT AND GPL-3.0", "none named", ""].map(isAllowed), [false, false, false, false]);
});

Deno.test("packages are pinned exactly, with their hashes, and none may run a script when it is installed", async () => {
  const loose = Object.entries(config.imports).filter(([, place]) =>
    place.startsWith("npm:") && !/@\d+\.\d+\.\d+\/?$/.test(place)
  );
  equal(loose, []);
  equal(config.allowScripts, undefined);
  for (const { name, integrity } of await packages()) ok(/^sha512-[\w+/]{86}==$/.test(integrity), name);
});

Deno.test("builds of sharp and polars for the systems that nobody tried here are in the lock all the same", async () => {
  const names = (await packages()).map(({ name }) => name);
  for (const system of ["darwin-arm64", "darwin-x64", "linux-arm64", "linux-x64", "win32-x64"]) {
    ok(names.includes(`@img/sharp-${system}`), `sharp for ${system}`);
    ok(names.some((name) => name.startsWith(`nodejs-polars-${system}`)), `polars for ${system}`);
  }
});

Deno.test("tasks use no shell beyond Deno's own", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  for (const [name, { command }] of Object.entries<{ readonly command: string }>(tasks)) {
    for (const part of command.split("&&")) ok(/^\s*(\w+=\S+ )*deno /.test(part), `${name}: ${part}`);
    ok(!/[|;`]|\$\(|\brm\b|\bsh\b/.test(command), name);
  }
});

Deno.test("the SBOM names each package of the lock once, by its purl", async () => {
  const { components, bomFormat, specVersion } = await sbom();
  equal([bomFormat, specVersion], ["CycloneDX", "1.6"]);
  ok(Array.isArray(components), "components");
  const purls = Array.isArray(components) ? components.map(({ purl }) => String(purl)) : [];
  equal([purls.length, new Set(purls).size], [(await packages()).length, purls.length]);
  ok(purls.includes("pkg:npm/%40img/sharp-linux-x64@" + config.imports.sharp.split("@").at(-1)), "sharp's build");
});
