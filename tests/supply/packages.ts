/** The npm packages of deno.lock, with the licences that their own package.json names. */

import * as v from "valibot";

const ROOT = new URL("../../", import.meta.url);

export interface Package {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity, as the lock has it: sha512 in base64. */
  readonly integrity: string;
  /** An SPDX expression; undefined where the package is not installed here. */
  readonly licence: string | undefined;
  /** Whether it is built for other systems and not installed on this one. */
  readonly elsewhere: boolean;
  /** Whether it would run a script when it is installed; Deno runs none. */
  readonly script: boolean;
  readonly dependencies: readonly string[];
}

const lockSchema = v.object({
  npm: v.record(
    v.string(),
    v.looseObject({
      integrity: v.string(),
      dependencies: v.optional(v.array(v.string()), []),
      scripts: v.optional(v.boolean(), false),
      os: v.optional(v.array(v.string())),
      cpu: v.optional(v.array(v.string())),
    }),
  ),
});

const one = v.union([v.string(), v.pipe(v.looseObject({ type: v.string() }), v.transform(({ type }) => type))]);
const manifestSchema = v.looseObject({ license: v.optional(one), licenses: v.optional(v.array(one)) });

/** What packages forgot to name in their package.json, as their licence files or pages say. */
const FORGOTTEN: Readonly<Record<string, string>> = {
  "humanize-number": "MIT", // Readme.md
  "only": "MIT", // Readme.md
  "png-js": "MIT", // LICENSE
  "nodejs-polars-linux-x64-gnu": "MIT", // "SEE LICENSE IN LICENSE": that of nodejs-polars
  "nodejs-polars-linux-x64-musl": "MIT",
};

export async function packages(): Promise<readonly Package[]> {
  const { npm } = v.parse(lockSchema, JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT))));
  const folders = [...Deno.readDirSync(new URL("node_modules/.deno", ROOT))].map(({ name }) => name);
  const found = new Map<string, Package>();
  for (const [key, entry] of Object.entries(npm)) {
    const [, name, version] = /^(@?[^@]+)@([^_]+)/.exec(key) ?? [];
    if (name === undefined || version === undefined) {
      throw new SyntaxError(`Cannot read deno.lock: "${key}" is no package.`);
    }
    const stem = `${name.replace("/", "+")}@${version}`;
    const folder = folders.find((folder) => folder === stem || folder.startsWith(`${stem}_`));
    const manifest = folder &&
      await Deno.readTextFile(new URL(`node_modules/.deno/${folder}/node_modules/${name}/package.json`, ROOT))
        .then((text) => v.parse(manifestSchema, JSON.parse(text)), () => undefined);
    const named = manifest && [manifest.license ?? manifest.licenses ?? []].flat().join(" AND ");
    const licence = Object.hasOwn(FORGOTTEN, name) ? FORGOTTEN[name] : named === "" ? "none named" : named;
    found.set(`${name}@${version}`, {
      name,
      version,
      integrity: entry.integrity,
      licence,
      elsewhere: manifest === undefined,
      script: entry.scripts,
      dependencies: entry.dependencies,
    });
  }
  return [...found.values()].sort((a, b) => `${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1);
}

/**
 * Licences under which a package may be used beside Apache-2.0, and why the less usual of them may: LGPL's libvips is a
 * library of its own, loaded at run time and replaceable; MPL's axe-core is used unchanged, in tests alone.
 */
const ALLOWED: readonly string[] = [
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "OFL-1.1",
  "Unlicense",
  "LGPL-3.0-or-later",
  "MPL-2.0",
]; // deno-fmt-ignore

/** Whether an SPDX expression is allowed: every part of an AND, one part of an OR. */
export function isAllowed(expression: string): boolean {
  const bare = expression.replace(/^\((.*)\)$/, "$1");
  if (bare.includes(" OR ")) return bare.split(" OR ").some(isAllowed);
  return bare.split(" AND ").every((part) => ALLOWED.includes(part.trim()));
}
