/** `deno task sbom > sbom.json`: what the kit is made of, as CycloneDX 1.6. */

import { VERSION } from "fewstep/version.ts";
import { packages } from "./packages.ts";

/** https://github.com/package-url/purl-spec: a scope's @ is written %40. */
const purl = (name: string, version: string) => `pkg:npm/${name.replace("@", "%40")}@${version}`;

export async function sbom(): Promise<Record<string, unknown>> {
  const all = await packages();
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        name: "fewstep",
        version: VERSION,
        licenses: [{ license: { id: "Apache-2.0" } }],
      },
    },
    components: all.map(({ name, version, integrity, licence, elsewhere }) => ({
      type: "library",
      "bom-ref": purl(name, version),
      name,
      version,
      purl: purl(name, version),
      ...elsewhere ? { scope: "optional" } : {},
      ...licence === undefined ? {} : { licenses: [{ expression: licence }] },
      hashes: [{ alg: "SHA-512", content: Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex() }],
    })),
  };
}

if (import.meta.main) console.log(JSON.stringify(await sbom(), null, 1));
