import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import type { Cluster } from "../../../../domain/cluster/state.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
import { ElectLeaders } from "../../../../src/protocol/message/43-elect-leaders.ts"
import { AlterPartitionReassignments } from "../../../../src/protocol/message/45-alter-partition-reassignments.ts"
import { DescribeClientQuotas } from "../../../../src/protocol/message/48-describe-client-quotas.ts"
import { ListTransactions } from "../../../../src/protocol/message/66-list-transactions.ts"
import { DescribeTopicPartitions } from "../../../../src/protocol/message/75-describe-topic-partitions.ts"
import type { AnyApi, RequestDraft, ResponseOf } from "../../../../src/protocol/type/wire.ts"
import { administrationRoutes } from "../../../../src/serve/administration/administration.ts"
import { fence, orders, replicatedCluster } from "../../../domain/cluster/replication/support.ts"
import { addTopic, afterCommands, given, heartbeat, register, topicId, up } from "../../../domain/cluster/support.ts"
import { call } from "../../broker/support.ts"

const ask = <A extends AnyApi>(cluster: Cluster, api: A, draft: RequestDraft<A>): ResponseOf<A> =>
  // On a clock that stands still no slice ends: the answer is there at once.
  Effect.runSync(
    call(
      administrationRoutes(() => cluster),
      api,
      api.latestStable,
      draft
    ).pipe(Effect.withClock(new VirtualClock()))
  ) as ResponseOf<A>

/** Brokers 1 and 2, each with a partition of `orders`. Broker 2 is fenced. */
const halfUp = given(register(1), heartbeat(1), register(2), heartbeat(2), addTopic("orders", { partitionCount: 2 }), heartbeat(2, { wantFence: true }))

describe("a partition whose broker is fenced", () => {
  const elect = (electionType: number, partitions: ReadonlyArray<number> | null) =>
    ask(halfUp, ElectLeaders, { electionType, topicPartitions: partitions === null ? null : [{ topic: "orders", partitions }] }).replicaElectionResults.flatMap(
      ({ partitionResult }) => partitionResult.map(({ errorCode, partitionId }) => `${partitionId} ${kafkaError(errorCode)}`)
    )
  test("cannot be given a leader by an election; the other needs none", () => {
    const fenced = halfUp.topics.pipe((topics) => [...topics][0]?.[1].partitions)
    const without = [...(fenced ?? [])].findIndex(({ leader }) => leader === -1)
    expect(elect(0, [without, 1 - without])).toEqual([`${without} PREFERRED_LEADER_NOT_AVAILABLE`, `${1 - without} ELECTION_NOT_NEEDED`])
    expect(elect(1, [without])).toEqual([`${without} ELIGIBLE_LEADERS_NOT_AVAILABLE`])
    expect(elect(0, null)).toEqual([`${without} PREFERRED_LEADER_NOT_AVAILABLE`])
  })
  test("stays where it is: its own replicas are accepted, any others refused, with a sentence that says why", () => {
    const alter = (replicas: ReadonlyArray<number> | null) =>
      ask(halfUp, AlterPartitionReassignments, { topics: [{ name: "orders", partitions: [{ partitionIndex: 0, replicas }] }] }).responses[0]?.partitions[0]
    const [own] = [...halfUp.topics][0]?.[1].partitions.at(0)?.replicas ?? []
    expect(alter([own as number])).toMatchObject({ errorCode: 0 })
    const moved = alter([3 - (own as number)])
    expect(kafkaError(moved?.errorCode ?? 0)).toBe("INVALID_REPLICA_ASSIGNMENT")
    expect(moved?.errorMessage).toContain(`stays on broker ${own}`)
  })
})

describe("DescribeTopicPartitions", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 })
  const clusterOf = (topics: ReadonlyArray<number>): Cluster =>
    given(register(1), heartbeat(1), ...topics.map((partitionCount, at) => addTopic(`topic-${at}`, { partitionCount, topicId: topicId(at + 1) })))
  test("pages of any size tell every partition of every topic once, and are as small as the client asks", () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 30 }), fc.boolean(), (topics, responsePartitionLimit, everything) => {
        const cluster = clusterOf(topics)
        const names = everything ? [] : [...topics.map((_, at) => ({ name: `topic-${at}` })), { name: "nowhere" }]
        const found: Array<string> = []
        let cursor: { readonly topicName: string; readonly partitionIndex: number } | null = null
        let pages = 0
        do {
          const page: ResponseOf<typeof DescribeTopicPartitions> = ask(cluster, DescribeTopicPartitions, { topics: names, responsePartitionLimit, cursor })
          const shown = page.topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex }) => `${name}-${partitionIndex}`))
          expect(shown.length).toBeLessThanOrEqual(responsePartitionLimit)
          found.push(...shown)
          cursor = page.nextCursor
          pages++
        } while (cursor !== null && pages < 100)
        const all = topics.flatMap((count, topic) => Array.from({ length: count }, (_, at) => `topic-${topic}-${at}`))
        expect(found.toSorted()).toEqual(all.toSorted())
      })
    )
  })
  test("names the eligible replicas of a partition whose replicas are all fenced (KIP-966)", () => {
    const cluster = afterCommands(orders(replicatedCluster(3)), fence(1), fence(2), fence(3))
    const page = ask(cluster, DescribeTopicPartitions, { topics: [{ name: "orders" }], responsePartitionLimit: 10, cursor: null })
    expect(page.topics[0]?.partitions[0]).toMatchObject({ leaderId: -1, isrNodes: [], eligibleLeaderReplicas: [2, 3], lastKnownElr: [] })
  })
  test("one page has 2,000 partitions at most, whatever the client asks for", async () => {
    const cluster = clusterOf([1500, 1500])
    const asked = { topics: [{ name: "topic-0" }, { name: "topic-1" }], responsePartitionLimit: 2 ** 31 - 1 }
    const answer = await Effect.runPromise(
      call(
        administrationRoutes(() => cluster),
        DescribeTopicPartitions,
        0,
        asked
      )
    )
    const { nextCursor, topics } = answer as ResponseOf<typeof DescribeTopicPartitions>
    expect(topics.map(({ partitions }) => partitions.length)).toEqual([1500, 500])
    expect(nextCursor).toEqual({ topicName: "topic-1", partitionIndex: 500 })
  })
})

test("a pattern of transactional ids is read as RE2 reads it, and refused where it cannot be read", () => {
  const list = (transactionalIdPattern: string) =>
    kafkaError(ask(up(1), ListTransactions, { stateFilters: [], producerIdFilters: [], transactionalIdPattern }).errorCode)
  for (const pattern of ["", "a.*", "(?i)a", "(?P<name>a)", "(?s-m:a)", "\\Qa.b\\E", "[[:alpha:]]+"])
    expect([pattern, list(pattern)]).toEqual([pattern, "NONE"])
  for (const pattern of ["(a", "a)", "[a", "*", "a".repeat(1001)]) expect([pattern, list(pattern)]).toEqual([pattern, "INVALID_REGULAR_EXPRESSION"])
})

test("DescribeClientQuotas repeats no text of a client but Kafka's entity types", () => {
  const components = [{ entityType: "planet\u001b[31m", matchType: 0, match: "a" }]
  const { errorMessage } = ask(up(1), DescribeClientQuotas, { components, strict: false })
  expect(errorMessage).not.toContain("planet")
})
