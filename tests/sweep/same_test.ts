import { equal } from "../assert.ts";
import { inFolder } from "../files.ts";
import { pocketPlan, WAYS } from "./pocket.ts";
import { sameThreeWays } from "./same.ts";
import { REDIS, skipReason } from "./servers.ts";

const ignore = skipReason("Redis", REDIS, "redis-server");

Deno.test("here, by two processes and on a queue by two workers: the same bits and tables; nothing is run twice", {
  ignore,
}, () =>
  inFolder(async (folder) => {
    const plan = pocketPlan({ prompts: 1, seeds: 1 });
    const { cells, ran } = await sameThreeWays(plan, { folder });
    equal([cells, ran], [WAYS, { here: WAYS, workers: WAYS, queue: WAYS }]);
    equal((await sameThreeWays(plan, { folder })).ran, { here: 0, workers: 0, queue: 0 });
  }));
