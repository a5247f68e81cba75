/** Words in LaTeX, whatever they hold. */

const escapes: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "&": "\\&",
  "%": "\\%",
  "$": "\\$",
  "#": "\\#",
  "_": "\\_",
  "{": "\\{",
  "}": "\\}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "{''}",
  "`": "\\textasciigrave{}",
  "'": "{'}",
  "\u00a0": "~",
  "·": "\\textperiodcentered{}",
  "…": "\\ldots{}",
  "–": "--",
  "—": "---",
  "−": "$-$",
  "×": "$\\times$",
  "→": "$\\rightarrow$",
  "≤": "$\\leq$",
  "≥": "$\\geq$",
  "±": "$\\pm$",
  "∞": "$\\infty$",
  "σ": "$\\sigma$",
  "Δ": "$\\Delta$",
  "₀": "$_0$",
  "²": "$^2$",
  "⁶": "$^6$",
  "⁹": "$^9$",
};

/** Escaped for running text; control characters become spaces, and "--" stays two hyphens. */
export function escapeLatex(text: string): string {
  const letters = Array.from(text, (letter) => letter < " " || letter === "\u007f" ? " " : escapes[letter] ?? letter);
  return letters.map((letter, index) => letter === "-" && letters[index - 1] === "-" ? "{}-" : letter).join("");
}

/** Letters that pdfLaTeX's standard fonts lack: XeLaTeX and LuaLaTeX have them. */
export function beyondPdfLatex(escaped: string): string[] {
  return [...new Set(Array.from(escaped).filter((letter) => (letter.codePointAt(0) ?? 0) > 0x17f))];
}
