import { pull, pullFiles } from "../../lib/hub/pull.ts";
import { equal, throwsSentence } from "../assert.ts";
import { filesUnder, first, inApi, withHub } from "./model.ts";
import { REPO } from "./server.ts";

/** Listings that no hub sends, or that a bad one might. */
const listings: [json: unknown, message: RegExp][] = [
  ["<html>", /the hub's answer is not what a hub sends/],
  [{ no: "list" }, /the hub's answer is not what a hub sends/],
  [[null], /in the hub's answer/],
  [[{ type: "file", path: "../../x", size: 1, oid: "0".repeat(40) }], /in it, "\.\.\/\.\.\/x" has a "\.\."/],
  [[{ type: "file", path: "C:\\x", size: 1, oid: "0".repeat(40) }], /in it, .* drive of Windows/],
  [[{ type: "file", path: "x", size: -1, oid: "0".repeat(40) }], /in the hub's answer size is -1/],
  [[{ type: "file", path: "x", size: 1, oid: "../../../x" }], /in the hub's answer oid is/],
  [[{ type: "file", path: "x", size: 1, lfs: { oid: "../x", size: 1 } }], /in the hub's answer lfs\.oid is/],
  [[{ type: "file", path: "x", size: 1 }], /the hub tells no hash of x/],
  [[], /it has neither a model_index\.json nor \.safetensors weights/],
];

Deno.test("a listing that is no listing, or would leave the cache, is refused in one sentence", () =>
  withHub(async (hub, options, cache) => {
    for (const [json, message] of listings) {
      hub.trouble = ({ path }) =>
        path.includes("/tree/")
          ? { response: new Response(typeof json === "string" ? json : JSON.stringify(json)) }
          : undefined;
      await throwsSentence(() => pull(REPO, options), message);
    }
    hub.trouble = ({ path }) => path.includes("/revision/") ? { response: Response.json({ sha: "../x" }) } : undefined;
    await throwsSentence(() => pull(REPO, options), /in the hub's answer sha is "\.\.\/x"/);
    equal(await filesUnder(cache), [], "nothing was written");
  }));

Deno.test("a listing that is cut is asked for again; one that is no listing's size is refused", () =>
  withHub(async (hub, options) => {
    const cut = () =>
      new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode('[{"type": "fi')),
          pull: (controller) => controller.error(new Error("cut")),
        }),
      );
    hub.trouble = first(2, inApi, () => ({ response: cut() }));
    equal((await pullFiles(REPO, options)).files.length, 4);
    hub.trouble = ({ path }) => path.includes("/tree/") ? { response: cut() } : undefined;
    await throwsSentence(() => pull(REPO, options), /the connection to .* failed \(.*\), 4 times in a row/);
    const huge: typeof fetch = () => Promise.resolve(new Response(new Uint8Array(33 * 2 ** 20)));
    await throwsSentence(() => pull(REPO, { ...options, fetch: huge }), /the hub's answer is above 32 MiB\.$/);
  }));

Deno.test("a listing without end has an end", () =>
  withHub(async (hub, options) => {
    let pages = 0;
    const endless: typeof fetch = (input, init) => {
      const url = String(input);
      if (!url.includes("/tree/")) return fetch(input, init);
      pages++;
      return Promise.resolve(Response.json([], { headers: { link: `<${hub.endpoint}/tree/>; rel="next"` } }));
    };
    await throwsSentence(
      () => pull(REPO, { ...options, fetch: endless }),
      /holds more than 20000 files; no model does/,
    );
    equal(pages, 400);
  }));
