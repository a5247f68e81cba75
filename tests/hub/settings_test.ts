import { homedir } from "node:os";
import { join } from "node:path";
import { type HubOptions, hubSettings } from "../../lib/hub/settings.ts";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";

const under = (variables: Readonly<Record<string, string>>, options: HubOptions = {}) =>
  hubSettings({ ...options, env: (name) => variables[name] });

Deno.test("the cache is where huggingface_hub has it", () => {
  equal(under({}).cache, join(homedir(), ".cache/huggingface/hub"));
  equal(under({ XDG_CACHE_HOME: "/x" }).cache, "/x/huggingface/hub");
  equal(under({ XDG_CACHE_HOME: "/x", HF_HOME: "/h" }).cache, "/h/hub");
  equal(under({ HF_HOME: "/h", HUGGINGFACE_HUB_CACHE: "/old" }).cache, "/old");
  equal(under({ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/c" }).cache, "/c");
  equal(under({ HF_HUB_CACHE: "~/c" }).cache, join(homedir(), "c"));
  equal(under({ HF_HUB_CACHE: "" }).cache, join(homedir(), ".cache/huggingface/hub"), "set to nothing is not set");
  equal(under({ HF_HUB_CACHE: "/c" }, { cache: "/mine" }).cache, "/mine");
});

Deno.test("offline is what huggingface_hub calls true", () => {
  for (const value of ["1", "true", "YES", "on"]) ok(under({ HF_HUB_OFFLINE: value }).offline, value);
  for (const value of ["0", "false", ""]) ok(!under({ HF_HUB_OFFLINE: value }).offline, value);
  ok(!under({ HF_HUB_OFFLINE: "1" }, { offline: false }).offline, "the option wins");
});

Deno.test("the token comes from the option, the environment, the file of hf auth login", () =>
  inFolder(async (home) => {
    const environment = { HF_HOME: home };
    equal(await under(environment).token(), undefined);
    await Deno.writeTextFile(join(home, "token"), "hf_file\n");
    equal(await under(environment).token(), "hf_file");
    equal(await under({ ...environment, HF_TOKEN: " hf_env " }).token(), "hf_env");
    equal(await under({ ...environment, HF_TOKEN: "hf_env" }, { token: "hf_mine" }).token(), "hf_mine");
    equal(await under({ ...environment, HF_TOKEN: "hf_env" }, { token: "" }).token(), undefined);
    await Deno.writeTextFile(join(home, "other"), "hf_other");
    equal(await under({ ...environment, HF_TOKEN_PATH: join(home, "other") }).token(), "hf_other");
  }));

Deno.test("a token or address that cannot be used is refused without being shown", async () => {
  for (const token of ["hf_a\nhf_b", "hf_ä", "hf_a b"]) {
    await throwsSentence(
      () => under({ HF_TOKEN: token }).token(),
      "Cannot use the hub's token (HF_TOKEN): it has spaces or characters that no token has.",
    );
  }
  equal(under({ HF_ENDPOINT: "https://mirror.test/hub/" }).endpoint, "https://mirror.test/hub");
  for (const endpoint of ["mirror.test", "file:///etc", "https://mirror.test/?x=1"]) {
    await throwsSentence(
      () => under({ HF_ENDPOINT: endpoint }),
      /HF_ENDPOINT\): an address such as https:\/\/huggingface/,
    );
  }
  await throwsSentence(
    () => under({ HF_ENDPOINT: "https://me:secret@mirror.test" }),
    "Cannot use the hub's address (HF_ENDPOINT): it has a password in it; wanted is HF_TOKEN.",
  );
});
