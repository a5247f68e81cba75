/**
 * How the kit's values print in a console and as a cell's last expression: in a line. A step holds its whole run, and
 * printed field by field it is a hundred pages.
 */

import { Model } from "../model/model.ts";
import { Step } from "../model/step.ts";
import { formatShape, Tensor } from "../tensor/tensor.ts";
import { Figure } from "./figure.ts";
import { stepLine } from "./step.ts";

function describe<T extends object>(type: { readonly prototype: T }, inWords: (value: T) => string): void {
  for (const symbol of ["Deno.customInspect", "nodejs.util.inspect.custom"]) {
    Object.defineProperty(type.prototype, Symbol.for(symbol), {
      value(this: T) {
        return inWords(this);
      },
      configurable: true,
    });
  }
}

describe(Tensor, ({ shape }) => `Tensor ${formatShape(shape)}`);
describe(Step, (step) => `Step (${stepLine(step)})`);
describe(
  Model,
  ({ defaultSize: { width, height }, runtime, precision }) =>
    `Model (${width}×${height} pixels, ${runtime.name}, ${precision})`,
);
describe(Figure, () => "Figure (await show(figure), or figure.save(path))");
