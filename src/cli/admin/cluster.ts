import { Chunk, Effect, Option, Stream } from "effect"
import type { AdminService } from "../../client/admin/admin.ts"
import { clusterEvents } from "../../client/consumer/cluster-events.ts"
import type { ConnectionOptions } from "../../client/options.ts"
import { mapClientErrors } from "../client/failure.ts"
import { connection, firstContact, jsonOption, leaderOption, untilStopped, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { print, printJson, table, write } from "../shell/screen.ts"
import { flag, noArgument, optionalInteger } from "../shell/spec.ts"
import { EventText, eventJson } from "./event-text.ts"
import { groupCoordination, groupCoordinationText } from "./group-coordination.ts"

/** How long the nodes are asked who leads, ms: the description of the cluster does not wait for it longer. */
const quorumTimeoutMs = 5000

/**
 * Returns the node that leads the cluster; undefined where there is none, or the client may not know. The controller of
 * DescribeCluster is a broker also where the leader is none: clients reach brokers alone.
 */
const leaderOf = (admin: AdminService): Effect.Effect<number | undefined> =>
  admin.describeQuorum().pipe(
    Effect.map(({ leaderId }) => (leaderId < 0 ? undefined : leaderId)),
    Effect.timeout(quorumTimeoutMs),
    Effect.orElseSucceed(() => undefined)
  )

export const clusterDescribe = command({
  path: "cluster describe",
  summary: "show the cluster: id, leader, nodes, and where groups are coordinated",
  example: ["franz cluster describe"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.gen(function* () {
        const cluster = yield* admin.describeCluster
        const [leaderId, groups] = yield* Effect.all([leaderOf(admin), groupCoordination(admin, cluster.controllerId)], { concurrency: 2 })
        if (words.json) return printJson({ ...cluster, leaderId: leaderId ?? null, groups: groups ?? null })
        print(`cluster ${cluster.clusterId}`)
        const rows = cluster.nodes.map(({ host, id, isController, isFenced, port, rack }) => [
          id,
          `${host}:${port}`,
          isFenced ? "fenced" : "serves",
          leaderId === undefined ? (isController ? "controller" : "") : id === leaderId ? "leader" : "",
          rack ?? ""
        ])
        for (const line of table(["NODE", "ADDRESS", "STATE", "CLUSTER", "RACK"], rows)) print(line)
        // It is none of the nodes where it is no broker.
        if (leaderId !== undefined && !cluster.nodes.some(({ id }) => id === leaderId)) print(`leader: node ${leaderId}`)
        if (groups !== undefined) print(groupCoordinationText(groups))
      })
    )
})

const utf8 = new TextEncoder()

const trimmed = (from: number, start: number): CliFailure =>
  new CliFailure({
    exit: "usage",
    message: `--from ${from}: the journal begins with event ${start}: those before it were trimmed (metadata.max.retention.bytes, metadata.max.retention.ms). Begin with --from ${start}.`
  })

export const clusterEventsCommand = command({
  path: "cluster events",
  summary: "print the events of the leader's journal, one a line",
  about: ["Any Kafka consumer can read the same events from the topic __cluster_metadata."],
  example: ["franz cluster events", "franz cluster events --follow --json"],
  options: {
    ...leaderOption,
    from: optionalInteger({ name: "from", placeholder: "INDEX", help: "The index of the first event (the first that the journal has)." }),
    follow: flag({ name: "follow", alias: "f", help: "Continue with new events." }),
    ...jsonOption
  },
  argument: noArgument,
  run: (words) => {
    const text = new EventText()
    const from = Option.getOrElse(words.from, () => 0)
    if (from < 0) return Effect.fail(new CliFailure({ exit: "usage", message: `--from ${from}: expected an index from 0.` }))
    let hasBegun = false
    // The names of topics are in earlier events, so those before --from are read too.
    const eventsOf = (options: ConnectionOptions) =>
      clusterEvents(options, { follow: words.follow }).pipe(
        Stream.runForEachChunk((chunk) => {
          const start = Option.getOrElse(
            Option.map(Chunk.head(chunk), ({ offset }) => offset),
            () => 0
          )
          if (!hasBegun && Option.isSome(words.from) && from < start) return Effect.fail(trimmed(from, start))
          hasBegun = true
          const lines: Array<string> = []
          for (const record of chunk) {
            const line = words.json ? JSON.stringify(eventJson(record)) : text.line(record)
            if (record.offset >= from) lines.push(`${line}\n`)
          }
          return write(utf8.encode(lines.join("")))
        })
      )
    return untilStopped(Effect.flatMap(connection(words, "events"), (options) => Effect.zipRight(firstContact(options), mapClientErrors(eventsOf(options)))))
  }
})
