import { Monitor } from "fewstep/sweep/monitor.ts";
import { metricsText, serveMetrics } from "fewstep/sweep/metrics.ts";
import { sweepHtml, sweepText, terminalWatch } from "fewstep/view/watch.ts";
import { equal, ok, throwsSentence } from "../assert.ts";

/** A sweep of 100 cells, 20 of them from the store, after 30 seconds. */
function watched() {
  let now = 1000;
  const monitor = new Monitor({ total: 100, before: 20, now: () => now });
  monitor.see({ name: "a", is: "working", model: "base", memory: 1.5e9 });
  monitor.see({ name: "b", is: "lost" });
  for (let cell = 0; cell < 30; cell++) {
    now += 1;
    monitor.finished("a");
  }
  monitor.failed("b", 'base on "x <y>"', "it was\ntold to");
  return { monitor, later: (seconds: number) => (now += seconds) };
}

Deno.test("a monitor counts, tells rates over the last minute, and estimates the rest", () => {
  const { monitor, later } = watched();
  const state = monitor.state();
  equal([state.done, state.failed, state.before, state.total, state.elapsedSeconds], [50, 1, 20, 100, 30]);
  equal(state.rate, 1);
  equal(state.remainingSeconds, 49);
  equal(state.workers.map(({ name, done, rate, is }) => [name, done, rate, is]), [["a", 30, 1, "working"], [
    "b",
    0,
    0,
    "lost",
  ]]);
  later(50);
  ok(Math.abs(monitor.state().rate - 10 / 60) < 0.02, "the minute goes on");
  later(100);
  equal(monitor.state().rate, 0);
  equal(monitor.state().remainingSeconds, 49 / (30 / 180), "then the mean since the beginning");
});

Deno.test("a sweep as text, as HTML and drawn in its place in a terminal", () => {
  const { monitor } = watched();
  const text = sweepText(monitor.state());
  equal(text, [
    "████████████░░░░░░░░░░░░ 50/100 cells · 20 from the store · 1 failed · 1.00 a second · 30 s · about 49 s left",
    "  a  base  30 cells           1.00 a second  1.50 GB",
    "  b  lost  0 cells, 1 failed",
    '  failed: base on "x <y>": it was told to',
  ]);
  const html = sweepHtml(monitor.state());
  ok(html.includes('<progress value="51" max="100"') && html.includes("x &lt;y&gt;"), html);
  let written = "";
  const draw = terminalWatch((text) => void (written += text), () => 40);
  draw(monitor.state());
  ok(written.split("\n").every((line) => line.replaceAll(/\p{Cc}\[\w/gu, "").replace("\r", "").length < 40), "it fits");
  draw(monitor.state());
  equal(written.split("\n").length, 5, "not drawn again so soon");
  monitor.end();
  draw(monitor.state());
  ok(written.includes("\x1b[4A"), "over the last drawing");
});

Deno.test("Prometheus reads metrics on this machine alone", async () => {
  const { monitor } = watched();
  monitor.see({ name: 'c "1"\n', is: "idle" });
  const text = metricsText(monitor.state());
  for (const line of text.trimEnd().split("\n")) {
    ok(/^(# (HELP|TYPE) \w+ .+|\w+(\{worker="([^"\\\n]|\\["\\n])*"\})? [-\d.e+]+)$/.test(line), line);
  }
  ok(text.includes("\nfewstep_sweep_cells_finished_total 30\n"), text);
  ok(text.includes('fewstep_worker_up{worker="b"} 0\n') && text.includes('{worker="c \\"1\\"\\n"} 1\n'), text);
  await using server = serveMetrics("0", () => monitor.state());
  ok(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/.test(server.url), server.url);
  const answer = await fetch(server.url);
  equal(await answer.text(), metricsText(monitor.state()));
  equal(answer.headers.get("content-type"), "text/plain; version=0.0.4");
  const missing = await fetch(server.url.replace("metrics", ""));
  equal([missing.status, await missing.text()], [404, "See /metrics.\n"]);
  await throwsSentence(() => serveMetrics("x:y", () => undefined), /^Cannot serve metrics at x:y: PORT or HOST:PORT/);
  const taken = new URL(server.url).port;
  await throwsSentence(() => serveMetrics(taken, () => undefined), /^Cannot serve metrics at \d+: /);
});
