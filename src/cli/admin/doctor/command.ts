import { Effect, Option } from "effect"
import { groupMetadataTopic } from "../../../../domain/cluster/topic/group-metadata.ts"
import type { AdminService } from "../../../client/admin/admin.ts"
import { KafkaFailure } from "../../../client/error.ts"
import { count } from "../../client/each.ts"
import { jsonOption, leaderOption, withAdmin } from "../../client/options.ts"
import { command } from "../../shell/command.ts"
import { CliFailure } from "../../shell/failure.ts"
import { bold, print, printJson } from "../../shell/screen.ts"
import { noArgument } from "../../shell/spec.ts"
import { groupCoordination } from "../group-coordination.ts"
import { type ClusterState, type Finding, findingsOf } from "./findings.ts"

/** Topics whose settings are asked for at the same time. */
const topicsAtOnce = 16

/** How long the brokers are asked for their data directories, ms. A broker that does not respond is found otherwise. */
const directoriesTimeoutMs = 10_000

const directoriesOf = (admin: AdminService): Effect.Effect<ClusterState["directories"]> =>
  Effect.timeout(admin.describeLogDirs, directoriesTimeoutMs).pipe(
    Effect.map((all) =>
      all.map(({ broker, error, logs, path, totalBytes, usableBytes }) => ({
        broker,
        path,
        isOffline: error !== "NONE",
        totalBytes,
        usableBytes,
        logs: new Set(logs.map(({ partition, topic }) => `${topic}-${partition}`))
      }))
    ),
    Effect.orElseSucceed(() => undefined)
  )

/** An older cluster has no reassignments to list. */
const reassignmentsOf = (admin: AdminService) => Effect.catchTag(admin.listReassignments(), "UnsupportedByCluster", () => Effect.succeed([]))

const isWithoutLeader = (fault: { readonly _tag: string }): boolean => fault instanceof KafkaFailure && fault.error === "NOT_CONTROLLER"

/** Reads what the doctor looks at. The settings of a topic are asked for where a replica of it is not in sync. Fails as calls of the client do. */
export const stateOf = (admin: AdminService) =>
  Effect.gen(function* () {
    const { controllerId, nodes } = yield* admin.describeCluster
    // The other internal topics are views of what is in the journal and in this one.
    const topics = (yield* admin.listTopics({ internal: true })).filter(({ internal, name }) => !internal || name === groupMetadataTopic)
    // Of what is read here the cluster's leader alone knows the reassignments; a broker says where it reaches none.
    const moves = Effect.catchIf(Effect.asSome(reassignmentsOf(admin)), isWithoutLeader, () => Effect.succeedNone)
    const withMinIsr = Effect.forEach(
      topics,
      ({ name, partitions }) =>
        partitions.every(({ isr, replicas }) => isr.length === replicas.length)
          ? Effect.succeed({ name, partitions, minIsr: undefined })
          : Effect.map(
              Effect.catchTag(admin.topicConfigs(name), "UnknownTopic", () => Effect.succeed([])),
              (configs) => {
                const found = configs.find((config) => config.name === "min.insync.replicas")
                return { name, partitions, minIsr: found === undefined ? undefined : Number(found.value) }
              }
            ),
      { concurrency: topicsAtOnce }
    )
    // At the same time, since each waits for a node that does not respond.
    const slow = [moves, directoriesOf(admin), groupCoordination(admin, controllerId)] as const
    const [reassignments, directories, groups] = yield* Effect.all(slow, { concurrency: "unbounded" })
    const state: ClusterState = {
      isLed: Option.isSome(reassignments),
      brokers: nodes,
      topics: yield* withMinIsr,
      moves: Option.getOrElse(reassignments, () => []),
      directories,
      groups
    }
    return state
  })

const show = ({ advice, kind, message, severity }: Finding): void => {
  print(`${bold(severity === "problem" ? `PROBLEM ${kind}` : `note ${kind}`)}`)
  print(`  ${message}`)
  print(`  ${advice}`)
}

const healthy = ({ brokers, topics }: ClusterState): string => {
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions.length, 0)
  return `${count(brokers.length, "broker")} and ${count(partitions, "partition")}: every partition has a leader, and every replica is in sync.`
}

export const clusterDoctor = command({
  path: "cluster doctor",
  summary: "say what is wrong with the cluster, what it means, and what helps",
  about: [
    "It looks for a leader of the cluster, for partitions without a leader, under min ISR or under-replicated, for brokers that do not serve,",
    "for leaders that are not the preferred ones, for leaders whose logs are damaged, for data directories that are full or offline, for moves of partitions, and for groups that the leader has not handed over. It fails with exit code 1 where there is a problem."
  ],
  example: ["franz cluster doctor", "franz cluster doctor --json"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.flatMap(stateOf(admin), (state) => {
        const findings = findingsOf(state)
        const problems = findings.filter(({ severity }) => severity === "problem").length
        if (words.json) printJson({ healthy: problems === 0, findings })
        else {
          for (const finding of findings) show(finding)
          if (problems === 0) print(healthy(state))
        }
        return problems === 0 ? Effect.void : Effect.fail(new CliFailure({ exit: "refused", message: `The cluster has ${count(problems, "problem")}.` }))
      })
    )
})
