/** What nothing else beats. */

/**
 * Those of which no other is at least as good in both costs and better in one, by the first cost, ascending.
 * @param costs two numbers of which less is better
 */
export function paretoFront<T>(items: readonly T[], costs: (item: T) => readonly [number, number]): T[] {
  const sorted = items.map((item) => ({ item, costs: costs(item) }))
    .sort((a, b) => a.costs[0] - b.costs[0] || a.costs[1] - b.costs[1]);
  let least = Infinity;
  return sorted.filter(({ costs: [, second] }) => {
    if (second >= least) return false;
    least = second;
    return true;
  }).map(({ item }) => item);
}
