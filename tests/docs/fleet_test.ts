/**
 * The compose file and the Kubernetes manifests of docs/sweeps: they are YAML, their commands are the kit's, and the tools
 * that they are for read them, where those are installed. No Docker and no cluster has to run.
 */

import * as v from "valibot";
import { parse as parseYaml, parseAllDocuments } from "yaml";
import { parse } from "../../lib/cli/args.ts";
import { sweepCommand } from "../../lib/cli/sweep.ts";
import { workerCommand } from "../../lib/cli/worker.ts";
import { equal, ok } from "../assert.ts";

const commands = new Map([["sweep", sweepCommand], ["worker", workerCommand]]);

/** Reads `deno task NAME …` by the command's own options. @returns its name and its values */
function readCommand(words: readonly string[]) {
  const [deno, task, name, ...args] = words;
  equal([deno, task], ["deno", "task"]);
  const command = commands.get(name);
  if (command === undefined) throw new Error(`There is no task ${name} among these.`);
  return { name, values: parse(command.options, args, command.positional) };
}

const environment = v.record(v.string(), v.string());
const service = v.object({
  image: v.string(),
  command: v.array(v.string()),
  environment,
  volumes: v.array(v.string()),
  depends_on: v.optional(v.record(v.string(), v.object({ condition: v.string() }))),
  stop_grace_period: v.optional(v.string()),
});
const composeSchema = v.object({
  services: v.object({ redis: service, coordinator: service, worker: service }),
  volumes: v.record(v.string(), v.unknown()),
});

/** ${NAME:-default} and ${NAME:?why}, as compose fills them in. */
function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{(\w+):([-?])([^}]*)\}/g,
    (_, name, kind, rest) => values[name] ?? (kind === "-" ? rest : ""),
  );
}

Deno.test("compose: Redis keeps what it is told; coordinator and workers share files, and read their commands", async () => {
  const text = await Deno.readTextFile("docs/sweeps/compose.yaml");
  const { services, volumes } = v.parse(composeSchema, parseYaml(text, { merge: true }));
  const { redis, coordinator, worker } = services;
  ok(/--appendonly yes .*--requirepass "\$\$REDIS_PASSWORD"/.test(redis.command.join(" ")), redis.command.join(" "));
  for (const [files, chosen] of [["/shared", {}], ["s3://pictures/x", { FEWSTEP_FILES: "s3://pictures/x" }]] as const) {
    const read = [coordinator, worker].map(({ command }) => readCommand(command.map((word) => filled(word, chosen))));
    equal(read.map(({ name }) => name), ["sweep", "worker"]);
    equal(read.map(({ values }) => values.text("files")), [files, files], "both name the same place");
  }
  for (const one of [coordinator, worker]) {
    equal(filled(one.environment.FEWSTEP_REDIS, { FEWSTEP_REDIS_PASSWORD: "p" }), "redis://:p@redis:6379");
    equal(one.depends_on, { redis: { condition: "service_healthy" } });
    equal(one.image.split(":")[1], Deno.version.deno, "the version that the kit is tested with");
  }
  const named = Object.values(services).flatMap(({ volumes }) => volumes.map((volume) => volume.split(":")[0]))
    .filter((name) => !name.startsWith("."));
  equal([...new Set(named)].toSorted(), Object.keys(volumes).toSorted(), "every volume is declared and used");
});

const container = v.object({
  name: v.string(),
  args: v.array(v.string()),
  env: v.array(v.object({
    name: v.string(),
    value: v.optional(v.string()),
    valueFrom: v.optional(v.object({ secretKeyRef: v.object({ name: v.string(), key: v.string() }) })),
  })),
  volumeMounts: v.optional(v.array(v.object({ name: v.string(), mountPath: v.string() })), []),
});
const podSchema = v.object({
  metadata: v.object({ labels: v.record(v.string(), v.string()) }),
  spec: v.object({
    containers: v.tuple([container]),
    volumes: v.optional(v.array(v.object({ name: v.string() })), []),
  }),
});
const manifestSchema = v.object({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.object({ name: v.string() }),
  spec: v.looseObject({
    template: v.optional(podSchema),
    selector: v.optional(v.unknown()),
    volumeClaimTemplates: v.optional(v.array(v.object({ metadata: v.object({ name: v.string() }) })), []),
  }),
});

Deno.test("Kubernetes: manifests fit together, secrets come from one Secret, and commands are read", async () => {
  const documents = parseAllDocuments(await Deno.readTextFile("docs/sweeps/kubernetes.yaml"));
  const manifests = [...documents].map((document) => {
    equal([...document.errors, ...document.warnings], []);
    return v.parse(manifestSchema, document.toJS());
  });
  equal(manifests.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`), [
    "v1 Service",
    "apps/v1 StatefulSet",
    "v1 PersistentVolumeClaim",
    "batch/v1 Job",
    "apps/v1 Deployment",
  ]);
  const files: (string | undefined)[] = [];
  for (const { kind, metadata: { name }, spec } of manifests) {
    if (spec.template === undefined) continue;
    const { metadata: { labels }, spec: { containers: [{ args, env, volumeMounts }], volumes } } = spec.template;
    equal(labels, { app: name });
    if (kind !== "Job") equal(spec.selector, { matchLabels: { app: name } });
    const declared = [...volumes, ...spec.volumeClaimTemplates.map(({ metadata }) => metadata)];
    equal(volumeMounts.map(({ name }) => name), declared.map(({ name }) => name));
    for (const { name, valueFrom } of env) {
      if (/PASSWORD|KEY/.test(name)) equal(valueFrom?.secretKeyRef.name, "fewstep", `${name} comes from the Secret`);
    }
    if (kind === "StatefulSet") {
      ok(args.join(" ").startsWith("--appendonly yes "), args.join(" "));
      continue;
    }
    const redis = env.findIndex(({ name }) => name === "FEWSTEP_REDIS");
    equal(env[redis].value, "redis://:$(REDIS_PASSWORD)@fewstep-redis:6379");
    ok(env.findIndex(({ name }) => name === "REDIS_PASSWORD") < redis, "$(…) takes only what stands before");
    const { name: task, values } = readCommand(args);
    equal(task, kind === "Job" ? "sweep" : "worker");
    files.push(values.text("files"));
  }
  equal(files, ["s3://pictures/sweep", "s3://pictures/sweep"], "both name the same place");
});

interface Read {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** What a program says of a file; undefined where it is not installed. */
async function read([program, ...args]: readonly string[], env: Readonly<Record<string, string>> = {}) {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args], env: { ...env } }).output();
    const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes).trim());
    return { code, out, error } satisfies Read;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function installed(command: readonly string[], where: string): Promise<boolean> {
  const found = (await read(command))?.code === 0;
  if (!found) console.log(`skipped: ${command[0]} is not installed (${where})`);
  return found;
}

const hasCompose = await installed(["docker-compose", "version"], "Debian: apt install docker-compose");
const hasKubectl = await installed(["kubectl", "version", "--client"], "Debian: apt install kubernetes-client");
const hasSchemas = await installed(["kubernetes-validate", "--version"], "pip install kubernetes-validate");

Deno.test("docker-compose reads the compose file, and refuses it without a password", {
  ignore: !hasCompose,
}, async () => {
  const command = ["docker-compose", "-f", "docs/sweeps/compose.yaml", "config", "--services"];
  const found = await read(command, { FEWSTEP_REDIS_PASSWORD: "p" });
  equal([found?.code, found?.out.split("\n").toSorted()], [0, ["coordinator", "redis", "worker"]]);
  const without = await read(command, { FEWSTEP_REDIS_PASSWORD: "" });
  ok(without?.code !== 0 && /a password for Redis is wanted/.test(without?.error ?? ""), without?.error ?? "");
});

Deno.test("kubectl reads the manifests as what they say they are", { ignore: !hasKubectl }, async () => {
  const local = ["label", "--local", "--dry-run=client", "-o", "name", "-f", "docs/sweeps/kubernetes.yaml", "a=b"];
  equal((await read(["kubectl", ...local]))?.out.split("\n"), [
    "service/fewstep-redis",
    "statefulset.apps/fewstep-redis",
    "persistentvolumeclaim/fewstep-runs",
    "job.batch/fewstep-coordinator",
    "deployment.apps/fewstep-worker",
  ]);
});

Deno.test("the manifests hold to Kubernetes' schemas, without a field that these don't know", {
  ignore: !hasSchemas,
}, async () => {
  const found = await read(["kubernetes-validate", "--strict", "docs/sweeps/kubernetes.yaml"]);
  equal([found?.code, found?.out.match(/passed/g)?.length], [0, 5], found?.error);
});
