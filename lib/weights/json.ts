/**
 * JSON from strangers. JSON.parse itself takes any depth and keeps the last of two equal keys without a word; both are
 * looked for here, before and after.
 */

/** Levels of lists and objects. The kit's own files have 6; what is deeper overflows a stack somewhere later. */
export const MAX_JSON_DEPTH = 32;

/** Why a text was refused: a clause for the caller's sentence. */
export class JsonFault extends Error {}

/** @throws JsonFault, whose message is a clause: "it is not JSON (…)", "it names a key twice" */
export function parseJson(text: string): unknown {
  const keys = scan(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new JsonFault("it is not JSON");
  }
  if (countKeys(value) < keys) throw new JsonFault("it is JSON that names a key twice in one object");
  return value;
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [34, 92, 58, 44];
const [BRACE, BRACKET, END_BRACE, END_BRACKET] = [123, 91, 125, 93];

/** The number of keys in all objects together. @throws JsonFault where it is too deep */
function scan(text: string): number {
  let [depth, keys] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) {
      i = endOfString(text, i);
    } else if (code === COLON) keys++;
    else if (code === COMMA || code <= 32) continue;
    else if (code === BRACE || code === BRACKET) {
      if (++depth > MAX_JSON_DEPTH) throw new JsonFault(`it is JSON of more than ${MAX_JSON_DEPTH} levels`);
    } else if (code === END_BRACE || code === END_BRACKET) depth--;
  }
  return keys;
}

/** Where the string that begins at `start` ends: its closing quote, or the text's end. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1;;) {
    const end = text.indexOf('"', from);
    if (end < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end;
    from = end + 1;
  }
}

function countKeys(value: unknown): number {
  if (!isContainer(value)) return 0;
  let keys = 0;
  if (Array.isArray(value)) { for (const inner of value) if (isContainer(inner)) keys += countKeys(inner); }
  else {
    for (const inner of Object.values(value)) {
      keys++;
      if (isContainer(inner)) keys += countKeys(inner); // a vocabulary has 49,408 that are none
    }
  }
  return keys;
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;
