import { expect, test } from "bun:test"
import { brokerPartitionsFor, budgetFor } from "../../../../src/programs/node/process-memory.ts"

const mebibyte = 1024 * 1024

test.each([
  [256, 4096],
  [1024, 16_384],
  [65_536, 200_000]
])("%i MiB of memory: a broker may hold %i partitions", (memory, partitions) => expect(brokerPartitionsFor(memory * mebibyte)).toBe(partitions))

test.each([
  [32, 16],
  [1024, 256],
  [65_536, 512]
])("%i MiB of memory: an account of %i MiB", (memory, account) => expect(budgetFor(memory * mebibyte)).toBe(account * mebibyte))
