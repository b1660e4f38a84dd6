import { Effect, Either } from "effect"
import type { ItemResults } from "../../../../src/client/admin/batch/items.ts"
import { Admin, type AdminService, type ConnectionOptions, Consumer, Producer } from "../../../../src/programs/library.ts"

type Failed = { readonly _tag: string; readonly error?: string; readonly message?: string }
const nameOf = (error: Failed): string => ("error" in error && error.error !== undefined ? error.error : error._tag)
const shown = (value: unknown): string => (value === undefined ? "done" : JSON.stringify(value, (_, one) => (typeof one === "bigint" ? Number(one) : one)))

/** The results of a call, one after the other: what each is, or the name of its error. */
const results = <K, A>(call: Effect.Effect<ItemResults<K, A>, Failed>, pick: (value: A) => unknown = (value) => value): Effect.Effect<string> =>
  Effect.match(call, {
    onFailure: nameOf,
    onSuccess: (items) => items.map(({ result }) => Either.match(result, { onLeft: nameOf, onRight: (value) => shown(pick(value)) })).join(" ")
  })
const result = <A>(call: Effect.Effect<A, Failed>, pick: (value: A) => unknown = (value) => value): Effect.Effect<string> =>
  Effect.match(call, { onFailure: nameOf, onSuccess: (value) => shown(pick(value)) })

/** Calls that only read, so that they may be repeated. */
const isRead = (name: string): boolean => /^(describe|list)/.test(name)

/** Repeats a read for up to 30 s until it has the expected result: brokers of Kafka learn of a change after its response. */
const settled = (step: Effect.Effect<string>, expected: string | undefined, tries = 1500): Effect.Effect<string> =>
  Effect.flatMap(step, (text) => (text === expected || tries === 0 ? Effect.succeed(text) : Effect.delay(settled(step, expected, tries - 1), 20)))

const topicSteps = (admin: AdminService, node: number) => ({
  "createTopics, one with too many replicas": results(
    admin.createTopics([
      { topic: "work", partitions: 2, configs: { "retention.ms": "60000000" } },
      { topic: "copied", replicationFactor: 9 },
      { topic: "placed", assignments: [[node], [node]] }
    ]),
    ({ partitions }) => partitions
  ),
  "createTopics again": results(admin.createTopics([{ topic: "work" }]), ({ topic }) => topic),
  "createTopics, only checked": results(admin.createTopics([{ topic: "checked", partitions: 3 }], { validateOnly: true }), ({ partitions }) => partitions),
  describeTopics: results(admin.describeTopics(["work", "placed"]), ({ partitions }) =>
    partitions.map(({ replicas }) => replicas.map((replica) => replica - node))
  ),
  createPartitions: results(
    admin.createPartitions([
      { topic: "work", total: 3 },
      { topic: "placed", total: 1 },
      { topic: "nowhere", total: 2 }
    ])
  ),
  describeConfigs: results(
    admin.describeConfigs(
      [
        { type: "topic", name: "work", keys: ["retention.ms", "cleanup.policy"] },
        { type: "broker", name: String(node), keys: ["log.retention.ms"] },
        { type: "topic", name: "nowhere" }
      ],
      { synonyms: true, documentation: true }
    ),
    (values) => values.map(({ name, source, type, value }) => [name, value, source, type]).sort()
  ),
  alterConfigs: results(
    admin.alterConfigs([
      { type: "topic", name: "work", set: { "max.message.bytes": "100000" }, append: { "cleanup.policy": "compact" }, unset: ["retention.ms"] },
      { type: "topic", name: "placed", set: { "retention.ms": "soon" } },
      { type: "group", name: "workers", set: { "consumer.session.timeout.ms": "50000" } },
      { type: "client-metrics", name: "metrics", set: { "interval.ms": "60000" } },
      { type: "broker-logger", name: String(node), set: { root: "WARN" } }
    ])
  ),
  "alterConfigs, only checked": results(admin.alterConfigs([{ type: "topic", name: "work", set: { "retention.ms": "1" } }], { validateOnly: true })),
  "the altered settings": results(
    admin.describeConfigs([{ type: "topic", name: "work", keys: ["cleanup.policy", "max.message.bytes", "retention.ms"] }]),
    (values) => values.map(({ name, source, value }) => [name, value, source]).sort()
  ),
  listConfigResources: result(admin.listConfigResources(["client-metrics", "group"]), (found) => found.map(({ name, type }) => `${type} ${name}`).sort())
})

const dataSteps = (admin: AdminService, node: number) => ({
  listOffsets: results(
    admin.listOffsets([
      { topic: "work", partition: 0, at: "earliest" },
      { topic: "work", partition: 1, at: "latest" },
      { topic: "work", partition: 2, at: { timestamp: 1_000 } },
      { topic: "placed", partition: 0, at: "max-timestamp" },
      { topic: "placed", partition: 9, at: "latest" },
      { topic: "nowhere", partition: 0, at: "latest" }
    ]),
    ({ offset }) => offset
  ),
  deleteRecords: results(
    admin.deleteRecords([
      { topic: "work", partition: 0, before: 4 },
      { topic: "work", partition: 1, before: "end" },
      { topic: "work", partition: 2, before: 99 }
    ])
  ),
  describeProducers: results(admin.describeProducers([{ topic: "work", partition: 0 }]), (producers) =>
    producers.map(({ lastSequence, producerEpoch, transactionStart }) => [producerEpoch, lastSequence, transactionStart])
  ),
  describeLogDirs: result(admin.describeLogDirs, (dirs) => dirs.map(({ logs }) => logs.filter(({ topic }) => topic === "work").length)),
  electLeaders: results(
    admin.electLeaders("preferred", [
      { topic: "work", partition: 0 },
      { topic: "work", partition: 9 }
    ])
  ),
  "electLeaders of all": result(admin.electLeaders("preferred", "all"), (all) => all.filter(({ result: one }) => Either.isLeft(one)).length),
  alterReassignments: results(
    admin.alterReassignments([
      { topic: "work", partition: 0, replicas: [node] },
      { topic: "work", partition: 1, replicas: [77] },
      { topic: "work", partition: 2, replicas: null }
    ])
  ),
  listReassignments: result(admin.listReassignments()),
  alterReplicaLogDirs: results(
    admin.alterReplicaLogDirs([
      { topic: "work", partition: 0, broker: node, path: "/nowhere" },
      { topic: "work", partition: 0, broker: 99, path: "/nowhere" }
    ])
  )
})

const groupSteps = (admin: AdminService) => ({
  describeGroups: results(admin.describeGroups(["workers", "absent"]), ({ members, state, type }) => [type, state, members.length]),
  groupOffsets: result(admin.groupOffsets("workers"), (offsets) => offsets.reduce((sum, { offset }) => sum + offset, 0)),
  setGroupOffsets: results(
    admin.setGroupOffsets("workers", [
      { topic: "work", partition: 0, offset: 5, metadata: "by hand" },
      { topic: "work", partition: 1, offset: 6 },
      { topic: "nowhere", partition: 0, offset: 1 }
    ])
  ),
  "groupOffsets of one partition": result(admin.groupOffsets("workers", [{ topic: "work", partition: 0 }]), (all) =>
    all.map(({ metadata, offset }) => [offset, metadata])
  ),
  "resetGroupOffsets, a dry run": results(admin.resetGroupOffsets("workers", "latest", { topics: ["work"], dryRun: true }), ({ from, to }) => [from, to]),
  "resetGroupOffsets by a shift": results(admin.resetGroupOffsets("workers", { shiftBy: -1000 }, { topics: ["work"] }), ({ to }) => to),
  "resetGroupOffsets to a time": results(admin.resetGroupOffsets("workers", { timestamp: Date.now() + 3_600_000 }, { topics: ["work"] }), ({ from, to }) => [
    from,
    to
  ]),
  deleteGroupOffsets: results(admin.deleteGroupOffsets("workers", [{ topic: "work", partition: 0 }])),
  removeGroupMembers: results(admin.removeGroupMembers("workers", [{ memberId: "none" }, { instanceId: "none" }])),
  deleteGroups: results(admin.deleteGroups(["workers", "absent"]))
})

const securitySteps = (admin: AdminService) => {
  const acl = { resourceType: "topic", resourceName: "work", principal: "User:bob", operation: "read", permission: "allow" } as const
  return {
    createAcls: results(
      admin.createAcls([acl, { ...acl, patternType: "prefixed", operation: "write", permission: "deny", host: "10.0.0.1" }, { ...acl, principal: "bob" }])
    ),
    describeAcls: result(admin.describeAcls({ principal: "User:bob" }), (acls) => acls.map((one) => Object.values(one).sort().join(" ")).sort()),
    deleteAcls: results(admin.deleteAcls([{ principal: "User:bob", operation: "read" }, { principal: "User:eve" }]), (deleted) => deleted.length),
    alterClientQuotas: results(
      admin.alterClientQuotas([
        { entity: { user: "bob", "client-id": null }, set: { producer_byte_rate: 1000, consumer_byte_rate: 2000 } },
        { entity: { "client-id": "x" }, set: { nonsense: 1 } }
      ])
    ),
    describeClientQuotas: result(admin.describeClientQuotas({ user: "bob" }), (all) =>
      all.map(({ entity, quotas }) => [entity, Object.entries(quotas).sort()])
    ),
    "alterClientQuotas, unset": results(
      admin.alterClientQuotas([{ entity: { user: "bob", "client-id": null }, unset: ["producer_byte_rate", "consumer_byte_rate"] }])
    ),
    "describeClientQuotas of any user": result(admin.describeClientQuotas({ user: { any: true } })),
    alterScramUsers: results(
      admin.alterScramUsers([
        { user: "carol", mechanism: "SCRAM-SHA-256", password: "carol's own" },
        { user: "dave", mechanism: "SCRAM-SHA-512", delete: true }
      ])
    ),
    describeScramUsers: results(admin.describeScramUsers(["carol", "dave"]), (credentials) => credentials),
    createDelegationToken: result(admin.createDelegationToken(), ({ owner }) => owner),
    describeDelegationTokens: result(admin.describeDelegationTokens(), (tokens) => tokens.length)
  }
}

const clusterSteps = (admin: AdminService) => ({
  describeQuorum: result(admin.describeQuorum(), ({ observers, voters }) => [voters.length, observers.length]),
  describeFeatures: result(admin.describeFeatures(), ({ finalized }) => Object.keys(finalized).sort()),
  updateFeatures: result(admin.updateFeatures([{ feature: "no.such.feature", level: 1 }], { validateOnly: true })),
  addVoter: result(admin.addVoter({ id: 9, directoryId: "MkU3OEVBNTcwNTJENDM2Qg", listeners: [{ name: "CONTROLLER", host: "127.0.0.1", port: 9 }] })),
  removeVoter: result(admin.removeVoter({ id: 9, directoryId: "MkU3OEVBNTcwNTJENDM2Qg" })),
  listTransactions: result(admin.listTransactions({ longerThanMs: 5 })),
  fenceProducers: results(admin.fenceProducers(["fenced-id"]), ({ producerEpoch }) => producerEpoch >= 0),
  describeTransactions: results(admin.describeTransactions(["no-such-id"]), ({ state }) => state),
  "the fenced producer": results(admin.describeTransactions(["fenced-id"]), ({ state }) => state),
  abortTransactions: results(
    admin.abortTransactions([{ topic: "work", partition: 0, producerId: 999_999n, producerEpoch: 0, coordinatorEpoch: 0 }], { timeoutMs: 2000 })
  ),
  deleteTopics: results(admin.deleteTopics(["work", "placed", "nowhere"]))
})

/** Twelve messages to each partition of "work", and a group that has read them. */
const messages = (connection: ConnectionOptions) =>
  Effect.scoped(
    Effect.gen(function* () {
      const producer = yield* Producer.make(connection)
      for (let n = 0; n < 36; n++) yield* producer.sendMessage("work", `message ${n}`, { partition: n % 3, key: `${n}` })
      const consumer = yield* Consumer.make({ ...connection, from: "earliest" })
      yield* consumer.joinConsumerGroup("workers")
      yield* consumer.subscribe("work")
      for (let read = 0; read < 36; ) read += (yield* consumer.poll({ timeoutMs: 1000 })).length
      yield* consumer.commit
      yield* consumer.leaveConsumerGroup
    })
  )

/**
 * Calls everything of the admin; returns what each call gave, by its name. With `eventually`, a read is repeated until it gives
 * the text of that name, since Kafka's brokers apply the controller's records a moment later.
 */
export const adminWork = (
  connection: ConnectionOptions,
  eventually: Readonly<Record<string, string>> = {}
): Effect.Effect<Readonly<Record<string, string>>, unknown> =>
  Effect.scoped(
    Effect.gen(function* () {
      const admin = yield* Admin.make(connection)
      const node = (yield* admin.describeCluster).nodes[0]?.id ?? -1
      const found: Record<string, string> = {}
      const run = (steps: Readonly<Record<string, Effect.Effect<string>>>) =>
        Effect.forEach(
          Object.entries(steps),
          ([name, step]) =>
            Effect.map(name in eventually && isRead(name) ? settled(step, eventually[name]) : step, (text) => {
              found[name] = text
            }),
          { discard: true }
        )
      yield* run(topicSteps(admin, node))
      yield* messages(connection)
      for (const steps of [dataSteps, groupSteps, securitySteps, clusterSteps]) yield* run(steps(admin, node))
      return found
    })
  )
