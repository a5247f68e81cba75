import { join } from "node:path";
import { pull, pullFiles } from "../../lib/hub/pull.ts";
import { Hiccup, Patience, retryAfter } from "../../lib/hub/patience.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { big, blobOf, filesUnder, first, inApi, onBig, repoFolder, there, withHub } from "./model.ts";
import { COMMIT, noise, refuse, REPO, type Seen, type Trouble } from "./server.ts";

const token = "hf_tokenThatNobodyMaySee";

const atStorage = ({ at }: Seen) => at === "storage";

Deno.test("what passes is tried again: 429 with Retry-After, 500, 503, in the listing and in the bytes", async () => {
  for (const matches of [inApi, atStorage]) {
    for (
      const response of [() => refuse(429, undefined, { "retry-after": "0" }), () => refuse(500), () => refuse(503)]
    ) {
      await withHub(async (hub, options) => {
        hub.trouble = first(2, matches, () => ({ response: response() }));
        equal(await Deno.readFile(await pull(`${REPO}:${big}`, options)), hub.file(big).bytes);
      });
    }
  }
});

Deno.test("Retry-After is obeyed, as seconds and as a date", async () => {
  const asked = (name: string, value: string, now?: number) => retryAfter(new Headers({ [name]: value }), now);
  equal(asked("retry-after", "7"), 7000);
  equal(asked("retry-after", "Thu, 01 Jan 2026 00:00:09 GMT", Date.parse("2026-01-01T00:00:00Z")), 9000);
  equal(asked("retry-after", "Thu, 01 Jan 2026 00:00:00 GMT", Date.parse("2026-01-01T00:00:09Z")), 0);
  equal(asked("retry-after", "soon"), undefined);
  equal(asked("ratelimit", '"resolvers";r=0;t=55'), 55_000);
  equal(retryAfter(new Headers()), undefined);
  await withHub(async (hub, options) => {
    hub.trouble = first(1, inApi, () => ({ response: refuse(429, undefined, { "retry-after": "1" }) }));
    const began = performance.now();
    await pull(`${REPO}:README.md`, options);
    ok(performance.now() - began >= 1000, "a second was waited");
    hub.trouble = () => ({ response: refuse(429, undefined, { "retry-after": "86400" }) });
    await throwsSentence(
      () => pull(`${REPO}:README.md`, options),
      /^Cannot pull org\/model:README\.md: 127\.0\.0\.1:\d+ asks for fewer requests \(429\) and asks to come back in 86400 s\.$/,
    );
  });
});

Deno.test("each wait is twice as long as the one before, until something arrives", async () => {
  const patience = new Patience({ times: 3, wait: 20 });
  const wait = async () => {
    const began = performance.now();
    await patience.after(new Hiccup("nothing came"), "pull x");
    return performance.now() - began;
  };
  for (const least of [20, 40, 80]) ok(await wait() >= least - 1, `${least} ms were waited`);
  await throwsSentence(wait, "Cannot pull x: nothing came, 4 times in a row. Is the network up?");
  patience.renew();
  await wait();
});

Deno.test("an abort ends a wait", async () => {
  const stop = new AbortController();
  const waiting = new Patience({ wait: 60_000 }, stop.signal).after(new Hiccup("nothing came"), "pull x");
  stop.abort(new Error("Stopped."));
  await throwsSentence(() => waiting, "Stopped.");
});

/** What the hub answers, with and without a token, and what the user is told. */
const refusals: [response: () => Response, withToken: boolean, message: RegExp][] = [
  [() => refuse(404, "RepoNotFound"), false, /the hub has no public model of that name .*set HF_TOKEN/],
  [() => refuse(404), false, /the hub has no public model of that name/],
  [() => refuse(401, "RepoNotFound"), false, /the hub has no public model of that name/],
  [() => refuse(404, "RevisionNotFound"), false, /it has no branch, tag or commit "v9"/],
  [() => refuse(404, "EntryNotFound"), false, /it has no file "README\.md"/],
  [
    () => refuse(401, "GatedRepo"),
    false,
    /its licence must be accepted first\. Log in at .*org\/model, accept it there, and set/,
  ],
  [() => refuse(403, "GatedRepo"), true, /the account of your token has no access\. Log in at .*org\/model, accept/],
  [() => refuse(403), false, /its licence must be accepted first/],
  [() => refuse(401), true, /the hub does not know your token \(HF_TOKEN\)/],
  [() => refuse(403, "DisabledRepo"), false, /the hub has closed it\. See /],
  [() => refuse(410), false, /the hub answered with status 410/],
];

Deno.test("what the hub refuses for good is told in one sentence, at once, without the token", () =>
  withHub(async (hub, options, cache) => {
    for (const [response, withToken, message] of refusals) {
      for (const matches of [inApi, ({ path }: Seen) => path.includes("/resolve/")]) {
        hub.seen.length = 0;
        hub.trouble = (seen) => matches(seen) ? { response: response() } : undefined;
        const what = { ...options, token: withToken ? token : "" };
        const error = await pull(`${REPO}@v9:README.md`, what).catch((error: unknown) => error);
        ok(error instanceof Error && message.test(error.message), String(error));
        await throwsSentence(() => Promise.reject(error), /^Cannot pull org\/model@v9:README\.md: /);
        ok(!Deno.inspect(error).includes(token), "the token is not shown");
        equal(hub.seen.filter(matches).length, 1, "nothing was tried again");
      }
    }
    ok(!await there(join(repoFolder(cache), "refs")), "no reference to what never came");
  }));

Deno.test("a file that the repository lacks, or that is a folder, is told by name", () =>
  withHub(async (_hub, options) => {
    await throwsSentence(
      () => pull(`${REPO}:no.safetensors`, options),
      /^Cannot pull .*:no\.safetensors: it has no such/,
    );
    await throwsSentence(() => pull(`${REPO}:unet`, options), /^Cannot pull org\/model:unet: that is a folder, a file/);
  }));

Deno.test("wrong bytes are never taken for the file, and are thrown away", () =>
  withHub(async (hub, options, cache) => {
    const { bytes } = hub.file(big);
    const wrong: [trouble: (seen: Seen) => Trouble | undefined, message: RegExp][] = [
      [onBig(hub, () => ({ content: noise(300_000, 8) })), /what arrived has the sha256 [0-9a-f]{12}…, the hub lists/],
      [onBig(hub, () => ({ content: bytes.slice(0, -1) })), /the server's file has 299999 bytes, the hub lists 300000/],
      [onBig(hub, () => ({ content: noise(300_001) })), /the server's file has 300001 bytes, the hub lists 300000/],
      [onBig(hub, () => ({ content: noise(5) })), /the server's file has 5 bytes, the hub lists 300000/],
      [
        onBig(hub, () => ({ response: new Response("", { status: 416 }) })),
        /the server's file has no byte 0, the hub lists 300000/,
      ],
      [
        onBig(hub, () => ({ response: new Response("x", { status: 206 }) })),
        /bytes from 0 on were wanted, the server sent ""/,
      ],
      [
        onBig(hub, () => ({ ignoreRange: true, content: noise(299_999) })),
        /the server's file has 299999 bytes, the hub lists 300000/,
      ],
      [
        onBig(hub, ({ range }) => ({
          response: new Response(noise(50_000), {
            status: 206,
            headers: { "content-range": range?.replace("bytes=", "bytes ") + "/300000" },
          }),
        })),
        /more bytes arrived than the 300000 that the hub lists/,
      ],
    ];
    for (const [trouble, message] of wrong) {
      hub.trouble = trouble;
      await throwsSentence(() => pull(`${REPO}:${big}`, options), message);
      ok(!await there(blobOf(cache, hub.file(big))), "no blob");
      if (message.source.includes("sha256")) ok(!await there(`${blobOf(cache, hub.file(big))}.incomplete`), "no rest");
      ok(!await there(join(repoFolder(cache), "snapshots", COMMIT, big)), "no link");
    }
    hub.trouble = () => undefined;
    equal(await Deno.readFile(await pull(`${REPO}:${big}`, options)), bytes, "and the next pull is well");
  }));

Deno.test("what ends a pull ends all of its requests at once, also those on which nothing comes", () =>
  withHub(async (hub, options) => {
    hub.trouble = onBig(
      hub,
      ({ range }) =>
        range?.startsWith("bytes=0-")
          ? { response: new Response("x", { status: 206 }) }
          : { stallAt: Number(/\d+/.exec(range ?? "")?.[0]) },
    );
    const began = performance.now();
    await throwsSentence(() => pull(`${REPO}:${big}`, options), /bytes from 0 on were wanted/);
    ok(performance.now() - began < 2000, `${performance.now() - began} ms; a silent connection is cut after 5000`);
  }));

Deno.test("a small file's wrong bytes are found by git's hash", () =>
  withHub(async (hub, options) => {
    const { bytes } = hub.file("README.md");
    hub.trouble = ({ path }) => path.endsWith("README.md") ? { content: bytes.map((byte) => byte ^ 1) } : undefined;
    await throwsSentence(() => pull(`${REPO}:README.md`, options), /what arrived has the git hash/);
  }));

Deno.test("a file that changes between a cut and its resumption is not mixed with what it was", () =>
  withHub(async (hub, options) => {
    const { bytes: old } = hub.file(big);
    hub.trouble = onBig(hub, () => ({ cutAt: 30_000 }));
    await throwsSentence(() => pull(`${REPO}:${big}`, { ...options, retry: { times: 0 } }), /Is the network up/);
    hub.trouble = () => undefined;
    hub.commit = "e".repeat(40);
    hub.replace({ path: big, bytes: noise(old.length, 33), lfs: true });
    const { path, files } = await pullFiles(`${REPO}:${big}`, options);
    equal(files[0].how, "downloaded");
    equal(await Deno.readFile(path), noise(old.length, 33));
  }));

Deno.test("a signed address that has grown old is asked for again", () =>
  withHub(async (hub, options) => {
    hub.trouble = first(1, ({ at, range }) => at === "storage" && range === "bytes=160000-199999", () => ({
      response: refuse(403),
    }));
    equal(await Deno.readFile(await pull(`${REPO}:${big}`, { ...options, parallel: 1 })), hub.file(big).bytes);
    equal(hub.seen.filter(({ path }) => path.includes("/resolve/")).length, 2);
  }));

Deno.test("a storage that refuses is not taken for the hub, which alone knows who may read what", () =>
  withHub(async (hub, options) => {
    hub.trouble = onBig(hub, () => ({ response: refuse(403) }));
    await throwsSentence(
      () => pull(`${REPO}:${big}`, options),
      /: 127\.0\.0\.1:\d+ answered 403, 4 times in a row\. Is/,
    );
  }));

Deno.test("redirects in a circle, to no address, and to a file of this disk are refused", () =>
  withHub(async (hub, options) => {
    const to = (location: string) => () => ({ response: new Response(null, { status: 302, headers: { location } }) });
    hub.trouble = to("/again");
    await throwsSentence(() => pull(REPO, options), /^Cannot pull org\/model: .* redirects in a circle\.$/);
    ok(hub.seen.length <= 12, `${hub.seen.length} requests`);
    hub.trouble = first(9, inApi, to("file:///etc/hostname"));
    await throwsSentence(() => pull(REPO, options), /redirects to a file: address/);
    hub.trouble = first(9, inApi, to("http://[/"));
    await throwsSentence(() => pull(REPO, options), /redirects to no valid address/);
    const plain: typeof fetch = () =>
      Promise.resolve(new Response(null, { status: 302, headers: { location: "http://hub.test/x" } }));
    await throwsSentence(
      () => pull(REPO, { ...options, endpoint: "https://hub.test", fetch: plain }),
      /redirects to an unencrypted address/,
    );
  }));

Deno.test("the token goes to the hub and to nobody else, and lies in no file", () =>
  withHub(async (hub, options, cache) => {
    // A listing whose next page is said to be on another host.
    hub.trouble = ({ at, path }) => {
      if (!path.includes("/tree/")) return undefined;
      if (at === "storage") return { response: Response.json([]) };
      const entries = [big, "model_index.json"].map((path) => ({
        type: "file",
        path,
        size: hub.file(path).bytes.length,
        oid: "0".repeat(40),
        lfs: path === big ? { oid: blobOf("", hub.file(big)).split("/").at(-1), size: 300_000 } : undefined,
      }));
      return { response: Response.json(entries, { headers: { link: `<${hub.storage}/tree/>; rel="next"` } }) };
    };
    await throwsSentence(() => pull(REPO, { ...options, token }), /model_index\.json: what arrived has the git hash/);
    hub.trouble = () => undefined;
    await pull(REPO, { ...options, token });
    const withToken = (at: Seen["at"]) =>
      new Set(hub.seen.filter((seen) => seen.at === at).map((seen) => seen.authorization));
    equal(withToken("hub"), new Set([`Bearer ${token}`]));
    equal(withToken("storage"), new Set([undefined]));
    ok(hub.seen.some(({ at, path }) => at === "storage" && path.includes("/tree/")), "the other host was asked");
    for (const path of await filesUnder(cache)) {
      ok(!new TextDecoder().decode(await Deno.readFile(join(cache, path))).includes(token), path);
    }
  }));

Deno.test("neither token nor signed address is shown when the connection fails", () =>
  withHub(async (hub, options) => {
    hub.trouble = onBig(hub, () => ({ cutAt: 0 }));
    const error = await pull(`${REPO}:${big}`, { ...options, token }).catch((error: unknown) => error);
    ok(error instanceof Error && /the connection to 127\.0\.0\.1:\d+ failed/.test(error.message), String(error));
    ok(!/secret-signature|hf_token/.test(Deno.inspect(error)), Deno.inspect(error));
    const { endpoint } = hub;
    await hub[Symbol.asyncDispose]();
    await throwsSentence(
      () => pull(REPO, { ...options, endpoint, token, retry: { times: 1, wait: 1 } }),
      /^Cannot pull org\/model: the connection to 127\.0\.0\.1:\d+ failed \(refused\)\. Is the network up\?$/,
    );
  }));

Deno.test("a file that ends early each time is told, whether ranges are given or not", () =>
  withHub(async (hub, options, cache) => {
    const headers = { "content-range": "bytes 0-39999/300000" };
    hub.trouble = onBig(hub, () => ({ response: new Response("", { status: 206, headers }) }));
    await throwsSentence(
      () => pull(`${REPO}:${big}`, options),
      /: the file ended at byte 0 of 300000, 4 times in a row/,
    );
    hub.trouble = onBig(hub, () => ({ response: new Response(new ReadableStream({ start: (body) => body.close() })) }));
    await throwsSentence(
      () => pull(`${REPO}:${big}`, options),
      /: the file ended at byte 0 of 300000, 4 times in a row/,
    );
    const endless = () => new Response(ReadableStream.from(Array.from({ length: 31 }, () => noise(10_000))));
    hub.trouble = onBig(hub, () => ({ response: endless() }));
    await throwsSentence(
      () => pull(`${REPO}:${big}`, options),
      /more bytes arrived than the 300000 that the hub lists/,
    );
    ok(!await there(blobOf(cache, hub.file(big))), "no blob");
  }));

Deno.test("every request goes through the given fetch", () =>
  withHub(async (hub, options) => {
    const through: string[] = [];
    const counted: typeof fetch = (input, init) => {
      through.push(new URL(input instanceof Request ? input.url : String(input)).pathname);
      return fetch(input, init);
    };
    await pull(REPO, { ...options, fetch: counted });
    equal(through.sort(), hub.seen.map(({ path }) => new URL(path, hub.endpoint).pathname).sort());
  }));
