import type { Batch } from "./lanes.ts"

/**
 * The files of test/interop that take longest, in this order: they begin first, so that no lane runs alone at the end. A file that is not named here is short. Files in one batch
 * use what only one process may have: `package` and `examples` build the package in dist, and `package` gives the checkout another package.json for a moment, which Deno would read in
 * `runtimes`.
 */
const longBatches: ReadonlyArray<Batch> = [
  ["package", "examples", "runtimes"],
  ["groups"],
  ["crash"],
  ["leader-candidates"],
  ["candidates-torture"],
  ["configs"],
  ["scripts"],
  ["torture"],
  ["secure-kafka"],
  ["producers"],
  ["moves"],
  ["up-over-etcd"],
  ["outputs"],
  ["oracle"],
  ["compaction"],
  ["faulty-disk"],
  ["listeners"],
  ["bad-input"],
  ["replication"]
].map((names) => names.map((name) => `test/interop/${name}.test.ts`))

/** All files in batches, the longest first. */
export const batchesOf = (files: ReadonlyArray<string>): ReadonlyArray<Batch> => {
  const named = new Set(longBatches.flat())
  return [...longBatches, ...files.filter((file) => !named.has(file)).map((file) => [file])]
}
