/** `deno task licences`: each licence with its packages; exit code 1 where one is not allowed. */

import { isAllowed, packages } from "./packages.ts";

const all = await packages();
const byLicence = Map.groupBy(all, ({ licence }) => licence ?? "built for other systems, not installed here");
for (const [licence, of] of [...byLicence].sort(([a], [b]) => a < b ? -1 : 1)) {
  console.log(`${licence}: ${of.length}\n  ${of.map(({ name, version }) => `${name} ${version}`).join(", ")}`);
}
const refused = all.filter(({ licence }) => licence !== undefined && !isAllowed(licence));
for (const { name, licence } of refused) {
  console.error(`Cannot use ${name}: its licence ${licence} is not on the list.`);
}
console.log(`\n${all.length} packages, ${refused.length} refused.`);
Deno.exit(refused.length === 0 ? 0 : 1);
