/** Counts of a test run, read from deno's JUnit report. */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts the cases of a JUnit report. Test steps are cases of their own there, and an error that belongs to no case
 * (a module that does not load, say) shows only in the exit code: then one failure is counted, never none.
 */
export function countJunit(xml: string, exitedWell: boolean): Counts {
  const attribute = (tag: string, name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(tag)?.[1] ?? 0);
  let [tests, failed, skipped] = [0, 0, 0];
  for (const [tag] of xml.matchAll(/<testsuite\b[^>]*>/g)) {
    tests += attribute(tag, "tests");
    failed += attribute(tag, "failures") + attribute(tag, "errors");
    skipped += attribute(tag, "disabled") + attribute(tag, "skipped");
  }
  if (!exitedWell && failed === 0) return { passed: tests - skipped, failed: 1, skipped };
  return { passed: tests - failed - skipped, failed, skipped };
}

/** The line that a run ends with. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed` + (skipped > 0 ? `, ${skipped} skipped` : "");
}
