import { Effect } from "effect"
import type { BrokerDescription } from "../../client/admin/brokers.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { CliFailure } from "../shell/failure.ts"
import { print, printJson, table } from "../shell/screen.ts"
import { argument, flag, noArgument } from "../shell/spec.ts"

const row = ({ host, id, isFenced, leads, partitions, port, rack }: BrokerDescription) => [
  id,
  `${host}:${port}`,
  isFenced ? "fenced" : "serves",
  partitions,
  leads,
  rack ?? ""
]

export const brokerList = command({
  path: "broker list",
  summary: "list the brokers: address, state, partitions, leaderships",
  example: ["franz broker list"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.listBrokers, (brokers) => {
        if (words.json) for (const broker of brokers) printJson(broker)
        else for (const line of table(["BROKER", "ADDRESS", "STATE", "PARTITIONS", "LEADS", "RACK"], brokers.map(row))) print(line)
      })
    )
})

const refused = (message: string) => Effect.fail(new CliFailure({ exit: "refused", message }))

/**
 * Refuses a running broker, which would register again at once, and one with partitions, which would lose their leader.
 */
const check = (id: number, broker: BrokerDescription | undefined, force: boolean): Effect.Effect<void, CliFailure> => {
  if (broker === undefined) return refused(`Broker ${id} is not registered. \`franz broker list\` lists the registered brokers.`)
  const address = `${broker.host}:${broker.port}`
  if (!broker.isFenced) return refused(`Broker ${id} at ${address} is running, and would register again at once: stop it first.`)
  if (broker.partitions > 0 && !force)
    return refused(
      `Broker ${id} at ${address} has ${broker.partitions} partitions, which have no leader until a broker with this id restarts with its data. --force removes it all the same.`
    )
  return Effect.void
}

export const brokerRemove = command({
  path: "broker remove",
  summary: "unregister a broker that will not restart",
  about: ["Its partitions stay assigned to it. It leads them again if it registers again."],
  example: ["franz broker remove 3", "franz broker remove 3 --force"],
  options: { ...leaderOption, force: flag({ name: "force", help: "Also a broker that has partitions." }), ...jsonOption },
  argument: argument("BROKER", "The broker's id."),
  run: (words, word) =>
    Effect.gen(function* () {
      if (!/^\d{1,10}$/.test(word))
        return yield* new CliFailure({ exit: "usage", message: `BROKER ${word}: expected the id of a broker. \`franz broker list\` lists the brokers.` })
      const id = Number(word)
      yield* withAdmin(words, (admin) =>
        Effect.gen(function* () {
          const brokers = yield* admin.listBrokers
          yield* check(
            id,
            brokers.find((broker) => broker.id === id),
            words.force
          )
          yield* admin.unregisterBroker(id)
          if (words.json) printJson({ broker: id, removed: true })
          else print(`broker ${id}: removed`)
        })
      )
    })
})
