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
  summary: "shows the brokers: where each is, whether it serves, what lies on it",
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

/** A broker that lives would be back at once, and one that carries partitions takes them along: neither is what is meant, as a rule. */
const check = (id: number, broker: BrokerDescription | undefined, force: boolean): Effect.Effect<void, CliFailure> => {
  if (broker === undefined) return refused(`Broker ${id} is not registered: \`franz broker list\` shows those that are.`)
  const address = `${broker.host}:${broker.port}`
  if (!broker.isFenced) return refused(`Broker ${id} at ${address} serves, and would register again at once: stop it first.`)
  if (broker.partitions > 0 && !force)
    return refused(
      `Broker ${id} at ${address} carries ${broker.partitions} partitions, which have no leader until a broker of that id is back with its data. --force removes it all the same.`
    )
  return Effect.void
}

export const brokerRemove = command({
  path: "broker remove",
  summary: "forgets a broker that will not come back",
  about: ["Partitions that lie on it stay assigned to it, and are led by it again if it registers again."],
  example: ["franz broker remove 3", "franz broker remove 3 --force"],
  options: { ...leaderOption, force: flag({ name: "force", help: "Also one that carries partitions." }), ...jsonOption },
  argument: argument("BROKER", "The broker's id."),
  run: (words, word) =>
    Effect.gen(function* () {
      if (!/^\d{1,10}$/.test(word))
        return yield* new CliFailure({ exit: "usage", message: `BROKER ${word}: expected the id of a broker; \`franz broker list\` shows them.` })
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
