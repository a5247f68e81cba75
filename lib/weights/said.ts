/**
 * Words of a stranger's file inside a sentence of ours: on one line, without control characters, and no longer than a
 * reader wants.
 */

/** Letters of a stranger's word that a sentence shows. Longer ones are cut in their middle: both ends tell most. */
const MOST = 120;

/** What would move the cursor or break the line: C0, C1, line and paragraph separators, and marks that turn text around. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A text as it may stand in a sentence: unprintable letters as `\u001b`, the middle of a long one as `…`. */
export function plain(text: string, most: number = MOST): string {
  const half = Math.floor(most / 2);
  const short = text.length <= most ? text : `${text.slice(0, half)}…${text.slice(-half)}`;
  return short.toWellFormed().replace(
    UNPRINTABLE,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Any JSON value as it may stand in a sentence. */
export function shown(value: unknown, most: number = MOST): string {
  return plain(JSON.stringify(value) ?? "nothing", most);
}
