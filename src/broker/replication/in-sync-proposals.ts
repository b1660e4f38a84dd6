import { Effect, Queue } from "effect"
import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { groupBy } from "../../../domain/kernel/group-by.ts"
import { outcomeOf, type Proposal } from "../../../domain/partition/in-sync.ts"
import { AlterPartition } from "../../protocol/message/56-alter-partition.ts"
import type { RequestDraft, ResponseOf } from "../../protocol/type/wire.ts"
import { RelayFailure } from "../../serve/relay/relay-failure.ts"
import { BrokerIdentity } from "../broker-identity.ts"
import { BrokerSettings } from "../broker-settings.ts"
import { HostedPartitions } from "../partition/hosted/hosted-partitions.ts"
import type { Replication } from "../partition/leading/replication.ts"
import type { Replica } from "../partition/replica/replica.ts"
import { keyOf } from "../partition/topic-id-partition.ts"
import { Relay } from "../relay.ts"
import { responseTimeoutMs } from "../response-timeout.ts"

interface Proposed {
  readonly replica: Replica
  readonly replication: Replication
  readonly proposal: Proposal
}

/** The proposals that are to be sent now, all of them in one request. */
const proposed = (replicas: Iterable<Replica>): ReadonlyArray<Proposed> => {
  const all: Array<Proposed> = []
  for (const replica of replicas) {
    const { replication } = replica
    const proposal = replication?.proposal
    if (replication === undefined || proposal === undefined) continue
    replication.proposalSent()
    all.push({ replica, replication, proposal })
  }
  return all
}

const requestOf = (all: ReadonlyArray<Proposed>, brokerId: number, brokerEpoch: number): RequestDraft<typeof AlterPartition> => ({
  brokerId,
  brokerEpoch: BigInt(brokerEpoch),
  topics: [...groupBy(all, ({ replica }) => replica.topicId)].map(([topicId, of]) => ({
    topicId,
    partitions: of.map(({ proposal, replica }) => ({
      partitionIndex: replica.partition,
      leaderEpoch: proposal.leaderEpoch,
      // Those of the proposal: a broker that registered again since may have lost its log (KAFKA-15221).
      newIsrWithEpochs: proposal.isr.map((id, at) => ({ brokerId: id, brokerEpoch: BigInt(proposal.brokerEpochs[at] ?? -1) })),
      partitionEpoch: proposal.partitionEpoch
    }))
  }))
})

const settle = (all: ReadonlyArray<Proposed>, { topics }: ResponseOf<typeof AlterPartition>): void => {
  const codes = new Map<string, number>(
    topics.flatMap(({ partitions, topicId }) => partitions.map(({ errorCode: code, partitionIndex }) => [`${topicId}-${partitionIndex}`, code] as const))
  )
  for (const { proposal, replica, replication } of all) {
    const code = codes.get(keyOf(replica))
    replication.proposalAnswered(proposal, code === undefined ? "unknown" : outcomeOf(kafkaError(code)))
  }
}

/**
 * Sends what partition leaders propose for their in-sync sets (AlterPartition), one request at a time, as long as it runs. The response changes nothing: the image does. A request without a
 * response is sent again by the next look at all replicas (`replicating.ts`).
 */
export const sendProposals: Effect.Effect<never, never, BrokerSettings | BrokerIdentity | HostedPartitions | Relay> = Effect.gen(function* () {
  const { config, nodeId } = yield* BrokerSettings
  // Repeated where the response is late: the leader compares the partition epoch, so that a repetition is harmless.
  const timeoutMs = responseTimeoutMs(config)
  const { epoch } = yield* BrokerIdentity
  const { signals } = yield* HostedPartitions
  const { withLink } = yield* Relay
  const send = Effect.suspend(() => {
    const brokerEpoch = epoch()
    const replicas = [...signals.proposing]
    signals.proposing.clear()
    if (brokerEpoch === undefined) return Effect.void
    const all = proposed(replicas)
    if (all.length === 0) return Effect.void
    // A refusal of the whole request fails inside `withLink`, so that the relay drops a link on which the leader does not recognize this broker.
    const call = withLink((link) =>
      link.call(AlterPartition, requestOf(all, nodeId, brokerEpoch), { timeoutMs }).pipe(
        Effect.mapError(({ message }) => new RelayFailure({ message })),
        Effect.filterOrFail(
          ({ errorCode }) => errorCode === 0,
          ({ errorCode }) => new RelayFailure({ message: `the leader answers ${kafkaError(errorCode)}` })
        )
      )
    )
    return Effect.matchEffect(call, {
      onSuccess: (answer) => Effect.sync(() => settle(all, answer)),
      onFailure: ({ message }) => Effect.logDebug(`The in-sync sets of ${all.length} partitions were not changed yet: ${message}`)
    })
  })
  return yield* Effect.forever(Effect.zipRight(Queue.take(signals.proposals), send))
})
