/** Memory outside of JavaScript's, as foreign calls read and write it. */

import { MemoryPool, NativeMemory, partOf, textAt, viewAt } from "fewstep/model/sessions/foreign.ts";
import { equal, ok } from "../../assert.ts";

Deno.test("memory begins at a cache line, holds what is written, and is seen by its address", () => {
  for (const byteLength of [0, 1, 63, 4096, 1_000_000]) {
    const memory = new NativeMemory(byteLength);
    equal([memory.address % 64n, memory.bytes.length], [0n, byteLength]);
    memory.bytes.forEach((_, i) => memory.bytes[i] = i);
    const seen = viewAt(memory.address, byteLength);
    ok(seen.every((byte, i) => byte === i % 256), `${byteLength} bytes are not what was written`);
    memory.free();
    memory.free();
  }
  const copy = NativeMemory.of(new Uint16Array([9, 0x6948, 0]).subarray(1));
  equal(textAt(copy.address), "Hi");
  copy.free();
});

Deno.test("a part of memory has its own address, and shares its bytes", () => {
  const memory = new NativeMemory(100);
  const part = partOf(partOf(memory, 10, 60), 5, 20);
  equal([part.address - memory.address, part.bytes.length], [15n, 15]);
  part.bytes.fill(7);
  equal([memory.bytes[15], memory.bytes[29]], [7, 7]);
  memory.free();
});

Deno.test("a pool gives back what it was given, and never the same place twice at once", () => {
  using pool = new MemoryPool();
  const [first, second] = [pool.take(5000), pool.take(6000)];
  equal([first.bytes.length, second.bytes.length], [5000, 6000]);
  ok(first.address !== second.address, "one place was given twice");
  pool.giveBack(first);
  pool.giveBack(first); // is no longer taken: nothing happens
  const [again, other] = [pool.take(8192), pool.take(5000)];
  equal(again.address, first.address);
  ok(![first.address, second.address].includes(other.address), "one place was given twice");
  pool.giveBack(partOf(second, 8, 16)); // begins no block
  ok(pool.take(6000).address !== second.address, "what is in use was taken back");
});
