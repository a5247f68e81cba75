/** Key maps as data: ordered rules from the names in a file to diffusers' names. */

/** How a stored tensor becomes the one that a network asks for, beside its name. All are pointers or graph operators. */
export type View =
  /** Block `index` of `of` equal blocks of rows: q, k and v stored as one matrix. */
  | { readonly kind: "rows"; readonly index: number; readonly of: number }
  /** `[in, out]` stored, `[out, in]` wanted. */
  | { readonly kind: "transpose" }
  /** `[out, in, 1, 1]` stored, `[out, in]` wanted: a 1×1 convolution that is a linear layer elsewhere. */
  | { readonly kind: "squeeze" };

/** A tensor under diffusers' name. */
export interface Mapped {
  readonly key: string;
  readonly view?: View;
}

/**
 * What a rule makes of a match: a new beginning, which later rules go on with; the finished tensors; or nothing,
 * where the tensor belongs to no network.
 */
export type Outcome = string | readonly Mapped[] | null;

/** A pattern and what becomes of it. A string is a replacement as in `String.replace`. */
export type Rule = readonly [RegExp, string | null | ((match: RegExpMatchArray) => Outcome)];

/** Read from top to bottom; every rule that matches is applied to what the ones before have made. */
export type Rules = readonly Rule[];

/** Whether any name begins so. One missing tensor does not hide a block: what is missing is found by what is there. */
export function holds(names: Iterable<string>, prefix: string): boolean {
  for (const name of names) if (name.startsWith(prefix)) return true;
  return false;
}

/**
 * diffusers' names for one name of a file. A name that no rule knows stays as it is, and will be found unknown.
 *
 * @returns nothing for a tensor that belongs to no network, several for one that holds several
 */
export function rename(name: string, rules: Rules): readonly Mapped[] {
  let key = name;
  for (const [pattern, outcome] of rules) {
    const match = key.match(pattern);
    if (match === null) continue;
    const made = typeof outcome === "function" ? outcome(match) : outcome;
    if (made === null) return [];
    if (typeof made !== "string") return made;
    key = typeof outcome === "function" ? key.replace(match[0], () => made) : key.replace(pattern, made);
  }
  return [{ key }];
}
