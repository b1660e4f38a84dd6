import { expect, test } from "bun:test"
import { moveText } from "../../../../src/cli/admin/partition/move-text.ts"

test.each<[ReadonlyArray<number>, ReadonlyArray<number>, string]>([
  [[1, 2], [2, 3], "moves to brokers 2, 3"],
  [[1], [2], "moves to broker 2"],
  [[1, 2], [1, 2, 3], "gets a replica on broker 3, beside brokers 1, 2"],
  [[1], [1, 2, 3], "gets replicas on brokers 2, 3, beside broker 1"],
  [[1, 2, 3], [1, 2], "stays on brokers 1, 2; the replica on broker 3 is removed"],
  [[1, 2, 3], [3], "stays on broker 3; the replicas on brokers 1, 2 are removed"],
  [[1, 2], [2, 1], "stays on brokers 2, 1; broker 2 is the preferred leader"],
  [[1, 2, 3], [1, 3, 2], "stays on brokers 1, 3, 2"]
])("a move of %p to %p: the partition %s", (before, after, text) => expect(moveText(before, after)).toBe(text))
