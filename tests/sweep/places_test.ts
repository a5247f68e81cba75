/** Files in a bucket, and rows in PostgreSQL: as in a folder and in SQLite. */

import { openPlace } from "fewstep/sweep/place.ts";
import { PostgresRows } from "fewstep/sweep/postgres.ts";
import { Store } from "fewstep/sweep/store.ts";
import { openStore, sweepPlan } from "fewstep/sweep/sweep.ts";
import { keep, nameOf } from "fewstep/sweep/files.ts";
import { join } from "node:path";
import { equal, ok, throwsSentence } from "../assert.ts";
import { inFolder } from "../files.ts";
import { FAKE_CHILD, fakePlan, openFake } from "./fake.ts";
import { taskOf } from "fewstep/sweep/task.ts";
import { POSTGRES, skipReason, startPostgres, startS3 } from "./servers.ts";

const ignore = skipReason("PostgreSQL", POSTGRES, "postgresql");

async function made(index = 0) {
  const plan = fakePlan({ cells: index + 1 });
  await using maker = await openFake({ model: plan.models[0].options, measure: plan.measure });
  return { cell: plan.cells[index], made: await maker.make(taskOf(plan.cells[index])) };
}

Deno.test("a bucket keeps files under their hashes, and brings them where they are read", () =>
  inFolder(async (folder) => {
    await using _server = await startS3();
    const files = await openPlace("s3://sweeps/a/b", folder);
    const elsewhere = await openPlace("s3://sweeps/a/b/"); // a worker's
    const { made: cell } = await made();
    const receipt = await keep(elsewhere, { ...cell, writeRecord: (path) => Deno.writeTextFile(path, "a run") });
    const names = [
      nameOf("picture", receipt.picture),
      nameOf("latent", receipt.latent),
      nameOf("record", receipt.record ?? ""),
    ];
    equal([...await files.kept([...names, nameOf("picture", "0".repeat(64))])].toSorted(), names.toSorted());
    const many = Array.from({ length: 80 }, (_, index) => nameOf("picture", String(index).padStart(64, "0")));
    equal([...await files.kept([...names, ...many])].toSorted(), names.toSorted(), "by listing, too");
    await files.fetch(names);
    equal(await Deno.readFile(files.path("picture", receipt.picture)), cell.png);
    equal(await Deno.readTextFile(files.path("record", receipt.record ?? "")), "a run");
    equal(await keep(elsewhere, cell), { ...receipt, record: null }, "what is there is not put again");
    const left = [...Deno.readDirSync(folder)].flatMap(({ name }) => [...Deno.readDirSync(join(folder, name))]);
    equal(left.filter(({ name }) => name.endsWith(".incomplete")), []);

    await throwsSentence(
      () => openPlace("s3://nowhere", folder),
      /^Cannot reach the bucket nowhere: .*AWS_ENDPOINT_URL/,
    );
    await throwsSentence(() => openPlace("s3:/x", folder), /^Cannot keep files in s3:\/x: s3:\/\/BUCKET/);
  }));

Deno.test("a listing of several pages is read to its end", () =>
  inFolder(async (folder) => {
    const names = Array.from({ length: 100 }, (_, index) => nameOf("picture", String(index).padStart(64, "0")));
    const asked: (string | null)[] = [];
    // A server of two pages: a real one begins the second after 1,000 names.
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, ({ method, url }) => {
      if (method === "HEAD") return new Response();
      const query = new URL(url).searchParams;
      if (query.get("prefix") !== "x/pictures/") return new Response("<ListBucketResult></ListBucketResult>");
      const token = query.get("continuation-token");
      asked.push(token);
      const page = token === null ? names.slice(0, 60) : names.slice(60, 90);
      const rest = token === null
        ? "<IsTruncated>true</IsTruncated><NextContinuationToken>60</NextContinuationToken>"
        : "";
      const keys = page.map((name) => `<Contents><Key>x/${name}</Key></Contents>`).join("");
      return new Response(`<ListBucketResult>${rest}${keys}</ListBucketResult>`);
    });
    const environment = {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${server.addr.port}`,
      AWS_ACCESS_KEY_ID: "x",
      AWS_SECRET_ACCESS_KEY: "x",
    };
    for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
    try {
      const files = await openPlace("s3://sweeps/x", folder);
      equal([...await files.kept(names)].toSorted(), names.slice(0, 90));
      equal(asked, [null, "60"]);
    } finally {
      for (const name of Object.keys(environment)) Deno.env.delete(name);
    }
  }));

Deno.test("a sweep whose files lie in a bucket reads like any other", () =>
  inFolder(async (folder) => {
    await using _server = await startS3();
    const plan = fakePlan({ cells: 4 });
    const options = {
      run: "workers",
      store: join(folder, "runs"),
      files: "s3://sweeps",
      workers: { processes: 1, threads: 1, module: FAKE_CHILD },
      onProgress: () => {},
    } as const;
    const read = async () => {
      await using store = await openStore(options);
      const runs = await sweepPlan(plan, store, options);
      return await Promise.all(runs.cells.map(({ picture }) => Deno.readTextFile(picture)));
    };
    const pictures = await read();
    equal(pictures, plan.cells.map(({ key }) => `picture of ${key}`));
    await Deno.remove(join(folder, "runs", "pictures"), { recursive: true });
    equal(await read(), pictures, "brought again, not run again");
  }));

Deno.test(
  "PostgreSQL keeps rows as SQLite does, for several coordinators at once",
  { ignore },
  () =>
    inFolder(async (folder) => {
      await using server = await startPostgres();
      const opened = await Promise.all([1, 2, 3].map(() => PostgresRows.open(server.url))); // tables are made once
      await using one = await Store.open(join(folder, "one"), { rows: opened[0] });
      await using two = await Store.open(join(folder, "two"), { rows: opened[1], files: one.files });
      await opened[2].close();
      const { cell: { key, content }, made: cell } = await made();
      const result = await one.put(key, content, cell);
      equal((await two.finished([key, "0".repeat(64)])).get(key), result);
      const again = await two.put(key, content, {
        ...cell,
        secondsTotal: 99,
        warm: false,
        writeRecord: (path) => Deno.writeTextFile(path, "a run"),
      });
      equal([again.secondsTotal, again.warm], [cell.secondsTotal, true], "the first measurement stays");
      ok(again.record !== null, "the record is added");

      const plan = fakePlan({ cells: 3000 });
      const receipt = await keep(one.files, cell);
      const finished = plan.cells.map(({ key, content }) => ({ key, content, receipt }));
      await Promise.all([one.record(finished), two.record(finished.toReversed())]);
      equal((await one.finished(plan.cells.map(({ key }) => key))).size, 3000);
      const wrong = server.url.replace("/postgres", "/nothing").replace("tests@", "tests:secret@");
      await throwsSentence(
        () => PostgresRows.open(wrong),
        /^Cannot keep rows in PostgreSQL at 127\.0\.0\.1:\d+\/nothing: database "nothing" does not exist\. Wanted is/,
      );
    }),
);
