/** Examples in pages and docstrings, and commands in pages, as they stand there. */

export interface Example {
  /** "docs/figures.md, line 41" */
  readonly where: string;
  readonly code: string;
}

/** Examples of a language in a page, or in the docstrings of a module. */
export function examplesIn(path: string, text: string, language: string): Example[] {
  const found: Example[] = [];
  let open: { line: number; code: string[]; wanted: boolean } | undefined;
  text.split("\n").forEach((whole, index) => {
    const line = path.endsWith(".ts") ? /^\s*\* ?(.*)$/.exec(whole)?.[1] : whole;
    if (line === undefined) return;
    if (open === undefined) {
      const [, own] = /^```(.*)$/.exec(line.trimEnd()) ?? [];
      if (own !== undefined) open = { line: index + 1, code: [], wanted: own === language };
    } else if (line.trimEnd() === "```") {
      if (open.wanted) found.push({ where: `${path}, line ${open.line}`, code: open.code.join("\n") });
      open = undefined;
    } else open.code.push(line);
  });
  return found;
}

/** Every `deno task …` of a page, in fences and in lines, as words of a shell. */
export function commandsIn(text: string): string[][] {
  const fences = examplesIn("page.md", text, "").flatMap(({ code }) =>
    code.replaceAll(/\\\n\s*/g, "").split("\n").map((line) => line.replace(/\s#\s.*$/, ""))
  );
  const inline = [...text.replaceAll(/```[^]*?```/g, "").matchAll(/`([^`]+)`/g)].map(([, code]) => code);
  return [...fences, ...inline].flatMap((line) => {
    const [, command] = /(?:^|deno@[\d.]+ |deno )task (.+)$/.exec(line.trim()) ?? [];
    return command === undefined ? [] : [wordsOf(command)];
  });
}

/** A command's words, quotation marks read as a shell reads them. */
function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single)
  );
}
