import { Effect, Option, Stream } from "effect"
import { clusterEvents } from "../../client/consumer/cluster-events.ts"
import { orSay } from "../client/failure.ts"
import { connection, firstContact, jsonOption, leaderOption, untilStopped, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { print, printJson, table, write } from "../shell/screen.ts"
import { flag, noArgument, optionalInteger } from "../shell/spec.ts"
import { EventText, eventJson } from "./event-text.ts"

export const clusterDescribe = command({
  path: "cluster describe",
  summary: "shows the cluster: its id, its leader, its nodes",
  example: ["franz cluster describe"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.describeCluster, (cluster) => {
        if (words.json) return printJson(cluster)
        print(`cluster ${cluster.clusterId}`)
        const rows = cluster.nodes.map(({ host, id, isController, isFenced, port, rack }) => [
          id,
          `${host}:${port}`,
          isFenced ? "fenced" : "serves",
          isController ? "controller" : "",
          rack ?? ""
        ])
        for (const line of table(["NODE", "ADDRESS", "STATE", "CLUSTER", "RACK"], rows)) print(line)
      })
    )
})

const utf8 = new TextEncoder()

export const clusterEventsCommand = command({
  path: "cluster events",
  summary: "prints what the leader decided, an event a line",
  about: ["The same is the topic __cluster_metadata, for any Kafka consumer."],
  example: ["franz cluster events", "franz cluster events --follow --json"],
  options: {
    ...leaderOption,
    from: optionalInteger({ name: "from", placeholder: "INDEX", help: "The first event (0)." }),
    follow: flag({ name: "follow", alias: "f", help: "Goes on with events as they come." }),
    ...jsonOption
  },
  argument: noArgument,
  run: (words) => {
    const text = new EventText()
    const from = Option.getOrElse(words.from, () => 0)
    if (from < 0) return Effect.fail(new CliFailure({ exit: "usage", message: `--from ${from}: expected an index from 0.` }))
    const options = connection(words, "events")
    // Names of topics come with their events, so those before the first that is printed are read too.
    const events = clusterEvents(options, { from: 0, follow: words.follow }).pipe(
      Stream.runForEachChunk((chunk) => {
        const lines: Array<string> = []
        for (const record of chunk) {
          const line = words.json ? JSON.stringify(eventJson(record)) : text.line(record)
          if (record.offset >= from) lines.push(`${line}\n`)
        }
        return write(utf8.encode(lines.join("")))
      })
    )
    return untilStopped(Effect.zipRight(firstContact(options), orSay(events)))
  }
})
