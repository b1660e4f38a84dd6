import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import type { Assignor, Subscription, TopicPartitions } from "../../../../domain/group/assignor/assignor.ts"
import { cooperativeSticky } from "../../../../domain/group/assignor/cooperative-sticky.ts"
import { range } from "../../../../domain/group/assignor/range.ts"
import { roundRobin } from "../../../../domain/group/assignor/round-robin.ts"
import { sticky } from "../../../../domain/group/assignor/sticky.ts"
import { decodeStickyUserData, encodeStickyUserData } from "../../../../domain/group/assignor/sticky-user-data.ts"

type Listed = ReadonlyArray<readonly [topic: string, partitions: ReadonlyArray<number>]>
interface Case {
  readonly assignor: string
  readonly partitions: ReadonlyArray<readonly [topic: string, count: number]>
  readonly members: ReadonlyArray<{
    readonly member: string
    readonly topics: ReadonlyArray<string>
    readonly instance?: string
    readonly owned?: Listed
    readonly generation?: number
    readonly userData?: string
    readonly had?: Listed
  }>
  readonly assignment: ReadonlyArray<readonly [member: string, partitions: Listed]>
}

const cases: ReadonlyArray<Case> = readFileSync(new URL("../data/assignments.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line))

const grouped = (listed: Listed): ReadonlyArray<TopicPartitions> => listed.map(([topic, partitions]) => ({ topic, partitions }))
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"))
const subscriptions = ({ members }: Case): Map<string, Subscription> =>
  new Map(
    members.map(({ member, topics, instance, owned, generation, userData }) => [
      member,
      {
        topics,
        ownedPartitions: grouped(owned ?? []),
        generation: generation ?? null,
        userData: userData === undefined ? null : bytes(userData),
        instanceId: instance ?? null
      }
    ])
  )

describe("the assignors against those of Kafka's Java client 4.4.0", () => {
  for (const assignor of [range, roundRobin, sticky, cooperativeSticky] satisfies ReadonlyArray<Assignor>) {
    const own = cases.filter((each) => each.assignor === assignor.name)
    test(`${assignor.name}: the same assignment in all cases`, () => {
      expect(own.length).toBeGreaterThanOrEqual(100)
      for (const each of own) {
        const assignment = assignor.assign(subscriptions(each), new Map(each.partitions))
        const expected = each.assignment.map(([member, listed]): [string, ReadonlyArray<TopicPartitions>] => [member, grouped(listed)])
        expect(new Map(assignment)).toEqual(new Map(expected))
      }
    })
  }

  test("the sticky assignor's user data: read as Java wrote it, and written byte for byte", () => {
    const written = cases.flatMap(({ members }) => members).filter(({ userData }) => userData !== undefined)
    expect(written.length).toBeGreaterThan(100)
    for (const { userData, had, generation } of written) {
      const said = decodeStickyUserData(bytes(userData ?? ""))
      if (said === null) throw new Error(`not read: ${userData}`)
      expect(said.generation).toBe(generation ?? null)
      // Java lists the topics in the order of a hash map, and partitions as they were assigned.
      const sorted = said.previous
        .map(({ topic, partitions }) => ({ topic, partitions: [...partitions].sort((a, b) => a - b) }))
        .sort((a, b) => (a.topic < b.topic ? -1 : 1))
      expect<ReadonlyArray<TopicPartitions>>(sorted).toEqual([...grouped(had ?? [])])
      expect(Buffer.from(encodeStickyUserData(said)).toString("base64")).toBe(userData ?? "")
    }
  })
})
