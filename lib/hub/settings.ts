/**
 * Where the hub, its cache and its token are: the variables that huggingface_hub reads, by the same names and in the
 * same order, so that one setting holds for Python's tools and for the kit.
 * https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
 */

import { homedir } from "node:os";
import { join } from "node:path";
import { DEFAULT_ENDPOINT } from "./reference.ts";

/** Where the hub, its cache and its token are. Defaults are those of huggingface_hub. */
export interface HubOptions {
  /** The hub's address. Default HF_ENDPOINT, else huggingface.co. */
  readonly endpoint?: string;
  /** The cache's folder. Default HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
  readonly cache?: string;
  /** An access token; "" for none. Default HF_TOKEN, else the file that `hf auth login` writes. */
  readonly token?: string;
  /** Use what the cache holds and no network. Default HF_HUB_OFFLINE. */
  readonly offline?: boolean;
  /** Reads a variable of the environment. Default `Deno.env.get`. */
  readonly env?: (name: string) => string | undefined;
}

export interface HubSettings {
  /** Without a slash at its end. */
  readonly endpoint: string;
  readonly cache: string;
  readonly offline: boolean;
  /** Read only when the network is used. */
  readonly token: () => Promise<string | undefined>;
}

/** @throws SyntaxError, one sentence, for an endpoint that is no address of the web */
export function hubSettings(options: HubOptions = {}): HubSettings {
  const read = options.env ?? ((name: string) => Deno.env.get(name));
  /** A variable set to nothing is not set. */
  const env = (name: string) => read(name) || undefined;
  const home = expand(env("HF_HOME") ?? join(env("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface"));
  const cache = options.cache ?? env("HF_HUB_CACHE") ?? env("HUGGINGFACE_HUB_CACHE") ?? join(home, "hub");
  return {
    endpoint: endpointOf(options.endpoint ?? env("HF_ENDPOINT") ?? DEFAULT_ENDPOINT),
    cache: expand(cache),
    offline: options.offline ?? (isTrue(env("HF_HUB_OFFLINE")) || isTrue(env("TRANSFORMERS_OFFLINE"))),
    async token() {
      const given = options.token ?? env("HF_TOKEN") ?? env("HUGGING_FACE_HUB_TOKEN");
      const token = given ?? await tokenFile(expand(env("HF_TOKEN_PATH") ?? join(home, "token")));
      return checkedToken(token?.trim());
    },
  };
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ["1", "ON", "YES", "TRUE"].includes(value.toUpperCase());
}

function expand(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["https:", "http:"].includes(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new SyntaxError(
      `Cannot use the hub's address (HF_ENDPOINT): an address such as ${DEFAULT_ENDPOINT} is wanted.`,
    );
  }
  // The text itself is not shown: it holds a secret.
  if (url.username !== "" || url.password !== "") {
    throw new SyntaxError(`Cannot use the hub's address (HF_ENDPOINT): it has a password in it; wanted is HF_TOKEN.`);
  }
  return url.href.replace(/\/+$/, "");
}

async function tokenFile(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new Error(`Cannot read the hub's token from ${path}: ${error instanceof Error ? error.message : error}.`);
  }
}

/** A header takes visible ASCII only, and the error of `fetch` would show what it refused. */
function checkedToken(token: string | undefined): string | undefined {
  if (token === undefined || token === "") return undefined;
  if (!/^[\x21-\x7e]{1,4096}$/.test(token)) {
    throw new SyntaxError("Cannot use the hub's token (HF_TOKEN): it has spaces or characters that no token has.");
  }
  return token;
}
