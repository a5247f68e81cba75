/**
 * An SVG tree of plain marks, as Observable Plot draws it, taken over into a drawing: lines, areas and words keep their
 * places, so that plots go through the kit's own fonts and formats. Only what Plot's axes, lines, bars, dots and areas
 * use is known; anything else is refused, never left out.
 */

import { type PlacedShape, type PlacedText, rectangle } from "./drawing.ts";
import { palette } from "./palette.ts";

/** What this file reads of an element. */
export interface SvgNode {
  readonly localName: string;
  readonly children: Iterable<SvgNode>;
  readonly textContent: string | null;
  getAttribute(name: string): string | null;
}

/** Attributes that children take over. */
interface Style {
  readonly x: number;
  readonly y: number;
  readonly fill: string | undefined;
  readonly stroke: string | undefined;
  readonly strokeWidth: number;
  readonly dash: readonly number[] | undefined;
  readonly opacity: number;
  readonly fillOpacity: number;
  readonly strokeOpacity: number;
  readonly size: number;
  readonly weight: 400 | 600;
  readonly anchor: "start" | "middle" | "end";
}

/** @throws TypeError for elements and transforms that are not known */
export function marksOf(svg: SvgNode): { shapes: PlacedShape[]; texts: PlacedText[] } {
  const shapes: PlacedShape[] = [];
  const texts: PlacedText[] = [];
  const root: Style = {
    x: 0,
    y: 0,
    fill: palette.black,
    stroke: undefined,
    strokeWidth: 1,
    dash: undefined,
    opacity: 1,
    fillOpacity: 1,
    strokeOpacity: 1,
    size: 10,
    weight: 400,
    anchor: "start",
  };
  const visit = (node: SvgNode, inherited: Style): void => {
    const style = styleOf(node, inherited);
    switch (node.localName) {
      case "svg":
      case "g":
        for (const child of node.children) visit(child, style);
        return;
      case "style":
      case "title":
        return;
      case "text":
        return void texts.push(...linesOf(node, style));
      default:
        return void shapes.push(...shapesOf(pathOf(node), style));
    }
  };
  visit(svg, root);
  return { shapes, texts };
}

function styleOf(node: SvgNode, from: Style): Style {
  const number = (name: string, otherwise: number) => {
    const text = node.getAttribute(name);
    return text === null ? otherwise : Number(text);
  };
  const color = (name: string, otherwise: string | undefined) => {
    const text = node.getAttribute(name);
    if (text === null) return otherwise;
    return text === "none" ? undefined : text === "currentColor" ? palette.black : text;
  };
  const anchor = node.getAttribute("text-anchor");
  const weight = node.getAttribute("font-weight");
  const dash = node.getAttribute("stroke-dasharray");
  const { x, y } = translation(node.getAttribute("transform"));
  return {
    x: from.x + x,
    y: from.y + y,
    fill: color("fill", from.fill),
    stroke: color("stroke", from.stroke),
    strokeWidth: number("stroke-width", from.strokeWidth),
    dash: dash === null ? from.dash : dash.split(/[ ,]+/).map(Number),
    opacity: from.opacity * number("opacity", 1),
    fillOpacity: number("fill-opacity", from.fillOpacity),
    strokeOpacity: number("stroke-opacity", from.strokeOpacity),
    size: number("font-size", from.size),
    weight: weight === null ? from.weight : Number(weight) >= 600 || weight === "bold" ? 600 : 400,
    anchor: anchor === "start" || anchor === "middle" || anchor === "end" ? anchor : from.anchor,
  };
}

function translation(transform: string | null): { x: number; y: number } {
  if (transform === null) return { x: 0, y: 0 };
  const [, x, y = "0"] = /^translate\(([-\d.e]+)(?:[ ,]+([-\d.e]+))?\)$/.exec(transform.trim()) ?? [];
  if (x === undefined) throw new TypeError(`Cannot take over a plot: its transform ${transform} is not a translation.`);
  return { x: Number(x), y: Number(y) };
}

function pathOf(node: SvgNode): string {
  const at = (name: string) => Number(node.getAttribute(name) ?? 0);
  switch (node.localName) {
    case "path":
      return node.getAttribute("d") ?? "";
    case "line":
      return `M${at("x1")} ${at("y1")}L${at("x2")} ${at("y2")}`;
    case "rect":
      return rectangle(at("x"), at("y"), at("width"), at("height"));
    case "circle": {
      const [x, y, r] = [at("cx"), at("cy"), at("r")];
      return `M${x - r} ${y}a${r} ${r} 0 1 1 ${2 * r} 0a${r} ${r} 0 1 1 ${-2 * r} 0Z`;
    }
    default:
      throw new TypeError(`Cannot take over a plot: it has a <${node.localName}>, which is none of its usual marks.`);
  }
}

/** Line and area apart where their opacities differ. */
function shapesOf(path: string, style: Style): PlacedShape[] {
  const { x, y, fill, stroke, strokeWidth, dash, opacity, fillOpacity, strokeOpacity } = style;
  const shapes: PlacedShape[] = [];
  if (path === "") return shapes;
  const offset = x === 0 && y === 0 ? undefined : { x, y };
  if (fill !== undefined) shapes.push({ path, offset, fill, opacity: opacity * fillOpacity });
  if (stroke !== undefined) {
    shapes.push({ path, offset, stroke, strokeWidth, dash, opacity: opacity * strokeOpacity });
  }
  return shapes;
}

/** The lines of a text; positions may be in em. */
function linesOf(node: SvgNode, style: Style): PlacedText[] {
  const length = (text: string | null, size: number) =>
    text === null ? 0 : text.endsWith("em") ? parseFloat(text) * size : Number(text);
  const parts = [...node.children].filter(({ localName }) => localName === "tspan");
  const placed = (part: SvgNode, x: number, y: number): PlacedText[] =>
    (part.textContent ?? "").trim() === "" ? [] : [{
      text: part.textContent ?? "",
      x,
      y,
      size: style.size,
      weight: style.weight,
      color: style.fill,
      anchor: style.anchor,
    }];
  const at = (part: SvgNode) => ({
    x: style.x + length(part.getAttribute("x"), style.size) + length(part.getAttribute("dx"), style.size),
    y: style.y + length(part.getAttribute("y"), style.size) + length(part.getAttribute("dy"), style.size),
  });
  if (parts.length === 0) return placed(node, at(node).x, at(node).y);
  return parts.flatMap((part) => placed(part, at(part).x, at(part).y));
}
