import { describe, expect, test } from "bun:test"
import { Effect } from "effect"
import fc from "fast-check"
import { VirtualClock } from "../../../../adapters/clock/virtual-clock.ts"
import type { Cluster } from "../../../../domain/cluster/state.ts"
import { kafkaError } from "../../../../domain/kernel/error-code.ts"
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
    expect(page.topics[0]?.partitions[0]).toMatchObject({ errorCode: 0, leaderId: -1, isrNodes: [], eligibleLeaderReplicas: [2, 3], lastKnownElr: [] })
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
