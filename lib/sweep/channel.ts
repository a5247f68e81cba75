/** Values that one side hands over while the other takes all that are there. */

export class Channel<T> {
  #values: T[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #error: unknown;

  push(value: T): void {
    this.#values.push(value);
    this.#wake();
  }

  /** No more values come; with an error, `batches` throws it after the last. */
  end(error?: unknown): void {
    this.#ended = true;
    this.#error ??= error;
    this.#wake();
  }

  /** All values that have come since the last batch, as soon as there is one. */
  async *batches(): AsyncGenerator<readonly T[], void, void> {
    for (;;) {
      if (this.#values.length > 0) {
        const taken = this.#values;
        this.#values = [];
        yield taken;
      } else if (this.#ended) {
        if (this.#error !== undefined) throw this.#error;
        return;
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
