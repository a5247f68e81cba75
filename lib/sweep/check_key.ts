/** On another machine, a path may lead to other weights, and a version may compute other bits. Keys tell. */

import type { Model } from "../model/model.ts";
import { sha256 } from "../weights/digest.ts";
import { cellContent, keyOf, lorasContent, type ModelContent, modelContent } from "./content.ts";
import { GroupError } from "./lane.ts";
import { nameOfTask } from "./maker.ts";
import { settingsOf } from "./plan.ts";
import { type Group, requestOf, type Task } from "./task.ts";

/**
 * Makes a check that this machine's files, kit and runtime give a task the key that it was planned under. Files are
 * hashed once a process.
 *
 * @throws GroupError, by the check, where they do not
 */
export function checkKey(): (model: Model, task: Task, group: Group) => Promise<void> {
  const known = new WeakMap<Model, ModelContent>();
  return async (model, task, group) => {
    const { published: checkpoint, loras, runtime } = model;
    const shared = known.get(model) ??
      await modelContent({ checkpoint, loras, runtime }, { ...settingsOf(group.model), digest: sha256 });
    known.set(model, shared);
    const lorasAt = await lorasContent(model, task.way, sha256);
    const key = keyOf(cellContent(model, shared, lorasAt, requestOf(task)));
    if (key === task.key) return;
    throw new GroupError(
      `Cannot run ${nameOfTask(task)}: its model here is not the one that the sweep was planned with. Wanted are the ` +
        `same files under the same paths, the same version of the kit and the same runtime (here ${shared.runtime}).`,
    );
  };
}
