import { expect, test } from "bun:test"
import fc from "fast-check"
import { groupBy } from "../../../domain/kernel/group-by.ts"

test("groupBy groups as Map.groupBy of newer runtimes does", () => {
  const keyOf = (item: number) => item % 3
  fc.assert(fc.property(fc.array(fc.integer()), (items) => expect([...groupBy(items, keyOf)]).toEqual([...Map.groupBy(items, keyOf)])))
})
