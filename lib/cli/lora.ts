/** LoRAs on a command line. */

/** FILE or FILE=STRENGTH. What follows the last "=" is part of the name where it is no number. */
export function loraOf(text: string): { path: string; strength?: number } {
  const [, path, strength] = /^(.+)=([+-]?(?:\d+\.?\d*|\.\d+))$/.exec(text) ?? [];
  return path === undefined ? { path: text } : { path, strength: Number(strength) };
}
