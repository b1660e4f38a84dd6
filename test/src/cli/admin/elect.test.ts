import { expect, test } from "bun:test"
import { isSatisfied } from "../../../../src/cli/admin/partition/elect.ts"

test("a partition needs no election where its preferred replica leads, and no unclean one where any broker leads", () => {
  expect(isSatisfied(1, [1, 2], false)).toBe(true)
  expect(isSatisfied(2, [1, 2], false)).toBe(false)
  expect(isSatisfied(2, [1, 2], true)).toBe(true)
  for (const isUnclean of [true, false]) expect(isSatisfied(-1, [1, 2], isUnclean)).toBe(false)
})
