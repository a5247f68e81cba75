import { inFolder } from "../files.ts";
import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { costTable } from "../../lib/view/cost_table.ts";
import { escapeLatex } from "../../lib/view/latex.ts";
import { decimalsFor, formatNumber, formatSpread } from "../../lib/view/number.ts";
import { Table } from "../../lib/view/table_export.ts";
import { sampleSummary } from "./comparison.ts";
import { haveLatex, run } from "./rendered.ts";

const hostile = `50 % & _under_ #1 {a} \\b ~c ^d $e <i>|"q"\`r' – → × [x](y) *b*\nnext --out, "σ" 10⁹`;

const nasty = () =>
  new Table([
    { model: hostile, seconds: { count: 3, median: 0.0843, least: 0.0801, most: 0.12 }, seed: 4, fits: true },
    { model: "plain, with comma", seconds: null, seed: 12345, fits: false },
  ], {
    columns: ["model", { key: "seconds", title: "time & more", unit: "s" }, "seed", "fits"],
    caption: "100 % <hostile> & $more$",
    notes: ["A note_with_underscores."],
  });

Deno.test("numbers keep three significant digits, no exponent, and a spread the decimals of its median", () => {
  const shown = [13.2, 1.8, 0.0843, 9.996, 1234.5, 0, 1e-5, -2.5, 999.6].map((value) =>
    formatNumber(value, decimalsFor(value, 3))
  );
  deepEqual(shown, ["13.2", "1.80", "0.0843", "10.0", "1,235", "0", "0.0000100", "−2.50", "1,000"]);
  equal(formatSpread({ count: 6, median: 1.16, least: 1.1, most: 1.25 }, 3), "1.16 [1.10, 1.25]");
  equal(formatSpread({ count: 1, median: 1.16, least: 1.16, most: 1.16 }, 3), "1.16");
  equal(formatSpread({ count: 6, median: 11.24, least: 11.24, most: 11.24 }, 3), "11.2");
  deepEqual([NaN, Infinity, -Infinity].map((value) => formatNumber(value, 2)), ["NaN", "∞", "−∞"]);
});

Deno.test("Markdown: cells end where they should, whatever they hold", () => {
  const lines = nasty().markdown().split("\n");
  equal(lines[0], "**100 % &lt;hostile&gt; &amp; $more$**");
  equal(lines[2], "| model | time &amp; more (s) | seed | fits |");
  equal(lines[3], "| --- | ---: | ---: | --- |");
  for (const line of lines.slice(2, 6)) equal(line.replaceAll(/\\./g, "").split("|").length, 6, line);
  match(lines[4], /\\\[x\\\]\(y\) \\\*b\\\*<br>next/);
  match(lines[4], /\| 0\.0843 \\\[0\.0801, 0\.1200\\\] \|/);
});

Deno.test("HTML: nothing of a cell becomes markup", () => {
  const html = nasty().html();
  ok(!html.includes("<i>") && html.includes("&lt;i&gt;"));
  match(html, /<th scope="col" style="text-align:right">time &amp; more \(s\)<\/th>/);
  match(html, /<td style="text-align:right">–<\/td>/);
});

Deno.test("CSV: all digits, spreads in four columns, quotes where RFC 4180 wants them", () => {
  const csv = nasty().csv();
  match(csv, /^model,seconds_median,seconds_least,seconds_most,seconds_count,seed,fits\r\n"50 % /);
  match(csv, /""q""`r'.*\nnext --out, ""σ"" 10⁹",0\.0843,0\.0801,0\.12,3,4,true\r\n/);
  match(csv, /\r\n"plain, with comma",,,,,12345,false\r\n$/);
});

Deno.test("Parquet holds what the table holds", async () => {
  const { default: polars } = await import("nodejs-polars");
  const frame = polars.readParquet(Buffer.from(await nasty().parquet()));
  deepEqual(frame.columns, [
    "model",
    "seconds_median",
    "seconds_least",
    "seconds_most",
    "seconds_count",
    "seed",
    "fits",
  ]);
  equal(frame.getColumn("model").get(0), hostile);
  deepEqual(frame.getColumn("seconds_median").toArray(), [0.0843, null]);
  deepEqual(frame.getColumn("fits").toArray(), [true, false]);
});

Deno.test("a column of words and numbers keeps both, as text", async () => {
  const frame = await new Table([{ a: "x" }, { a: 3 }, { a: null }], { columns: ["a"] }).frame();
  deepEqual(frame.getColumn("a").toArray(), ["x", "3", null]);
});

Deno.test("LaTeX: booktabs' rules, and nothing that LaTeX would obey", () => {
  equal(
    escapeLatex("a_b & 50 % --x ^2 \\y {z}"),
    "a\\_b \\& 50 \\% -{}-x \\textasciicircum{}2 \\textbackslash{}y \\{z\\}",
  );
  const latex = nasty().latex();
  for (const rule of ["\\toprule", "\\midrule", "\\bottomrule"]) ok(latex.includes(rule));
  ok(!latex.includes("XeLaTeX"), "all its letters are pdfLaTeX's");
  match(new Table([{ a: "日本" }], { columns: ["a"] }).latex(), /Compile with XeLaTeX or LuaLaTeX, for 日 本\./);
});

Deno.test({
  name: "pdflatex compiles the tables, and their words come out as they went in",
  ignore: !haveLatex,
  fn: () =>
    inFolder(async (folder) => {
      await nasty().save(`${folder}/nasty.tex`);
      await costTable(sampleSummary()).save(`${folder}/costs.tex`);
      const document =
        "\\documentclass{article}\\usepackage[landscape,margin=1cm]{geometry}\\usepackage[T1]{fontenc}\\usepackage{textcomp}\\usepackage{booktabs}" +
        `\\begin{document}\\input{${folder}/nasty}\\input{${folder}/costs}\\end{document}`;
      await Deno.writeTextFile(`${folder}/all.tex`, document);
      await run(
        "pdflatex",
        "-halt-on-error",
        "-interaction=nonstopmode",
        `-output-directory=${folder}`,
        `${folder}/all.tex`,
      );
      const words = await run("pdftotext", "-layout", `${folder}/all.pdf`, "-");
      for (
        const wanted of ["50 % & _under_ #1 {a} \\b", "<i>|", "next --out", "1.16 [1.11, 1.21]", "Fréchet distance"]
      ) {
        ok(words.includes(wanted), `${wanted} is not in: ${words}`);
      }
    }),
});

Deno.test("a comparison's costs: time and what is saved, memory, the metrics that were measured", () => {
  const table = costTable(sampleSummary());
  deepEqual(
    table.columns.map(({ title, key }) => title ?? key),
    ["model", "steps", "time", "time saved", "peak memory", "prompt score", "SSIM", "Fréchet distance"],
  );
  const lines = table.text().split("\n");
  match(lines[2], /^SDXL base\s+50\s+13\.2 \[12\.7, 13\.7\]\s+–\s+11\.2\s+33\.1 \[32\.4, 33\.8\]\s+–\s+–$/);
  match(lines[3], /^Lightning, full\s+8\s+1\.84 \[1\.77, 1\.91\]\s+86\.1\s+11\.2/);
  throws(
    () => costTable(sampleSummary(), { reference: "none" }),
    /Cannot compare with "none": .*models are SDXL base, /,
  );
  throws(() => costTable({ summary: [] }), /it has no results/);
});

Deno.test("a table is saved by its ending, with what made it beside it", () =>
  inFolder(async (folder) => {
    const provenance = { version: 1 as const, software: { fewstep: "0" }, machine: "a machine", models: [], runs: [] };
    const table = new Table([{ a: 1 }], { columns: ["a"], provenance });
    await table.saveAll(`${folder}/t`);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    deepEqual(names, ["csv", "html", "md", "parquet", "tex"].flatMap((ending) => [`t.${ending}`, `t.${ending}.json`]));
    await rejects(table.save(`${folder}/t.png`), /a table ends in \.md, \.tex/);
  }));
