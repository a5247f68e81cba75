/** What the kit uses of PDFKit 0.20: @types/pdfkit describes 0.17, without XMP and without switching features off. */

interface Place {
  readonly width: number;
  readonly height: number;
}

interface TextOptions {
  readonly lineBreak: boolean;
  readonly baseline: "alphabetic";
  /** OpenType features by tag, on or off. */
  readonly features: Readonly<Record<string, boolean>>;
}

interface DocumentOptions {
  /** Width and height in points. */
  readonly size: readonly [number, number];
  readonly margin: number;
  readonly pdfVersion: "1.7";
  readonly lang: string;
  readonly displayTitle: boolean;
  readonly info: Readonly<Record<string, string>>;
}

export default class PDFDocument {
  constructor(options: DocumentOptions);
  on(event: "data", listener: (chunk: Uint8Array) => void): this;
  on(event: "end", listener: () => void): this;
  on(event: "error", listener: (error: Error) => void): this;
  end(): void;
  save(): this;
  restore(): this;
  scale(factor: number): this;
  translate(x: number, y: number): this;
  rotate(degrees: number, options: { readonly origin: readonly [number, number] }): this;
  rect(x: number, y: number, width: number, height: number): this;
  path(data: string): this;
  opacity(opacity: number): this;
  lineJoin(join: "round"): this;
  lineCap(cap: "round" | "butt"): this;
  lineWidth(width: number): this;
  dash(length: number, options: { readonly space: number }): this;
  fill(color: string): this;
  stroke(color: string): this;
  fillAndStroke(fill: string, stroke: string): this;
  image(png: Uint8Array, x: number, y: number, place: Place): this;
  registerFont(name: string, source: Uint8Array): this;
  font(name: string): this;
  fontSize(size: number): this;
  fillColor(color: string): this;
  text(text: string, x: number, y: number, options: TextOptions): this;
  widthOfString(text: string, options: Pick<TextOptions, "features">): number;
  /** Adds RDF to the XMP packet. */
  appendXML(xml: string): void;
}
