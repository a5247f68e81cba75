import { deepEqual, equal } from "node:assert/strict";
import { countJunit, summary } from "./junit.ts";

const report = `<testsuites name="deno test" tests="9" failures="9" errors="9" time="0.011">
  <testsuite name="./a_test.ts" tests="6" disabled="1" errors="0" failures="2"></testsuite>
  <testsuite name="./b_test.ts" tests="3" disabled="0" errors="1" failures="0"></testsuite>
</testsuites>`;

Deno.test("suites are summed, the line of the whole is not counted again", () => {
  deepEqual(countJunit(report, false), { passed: 5, failed: 3, skipped: 1 });
});

Deno.test("a run that broke outside of any test counts as a failure", () => {
  deepEqual(countJunit("", false), { passed: 0, failed: 1, skipped: 0 });
});

Deno.test("skipped tests are named only when there are any", () => {
  equal(summary({ passed: 2, failed: 0, skipped: 0 }), "2 passed, 0 failed");
  equal(summary({ passed: 2, failed: 1, skipped: 3 }), "2 passed, 1 failed, 3 skipped");
});
