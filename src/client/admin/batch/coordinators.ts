import { Effect, Either } from "effect"
import type { Address } from "../../../ports/transport.ts"
import { FindCoordinator } from "../../../protocol/message/10-find-coordinator.ts"
import type { Client } from "../../cluster/client.ts"
import { grouped, type ItemError, missing, resultOf } from "./items.ts"

/** What is coordinated, by the number of its keys in FindCoordinator. */
const keyTypes = { group: 0, transaction: 1 } as const
type Coordinated = keyof typeof keyTypes
/** The first version that finds the coordinators of several keys (KIP-699), and the last that finds that of one. */
const manyKeysVersion = 4

type Coordinators = ReadonlyMap<string, Either.Either<Address, ItemError>>

/** Finds the coordinators of keys: one request for all, or one for each at an older cluster. */
const findCoordinators = (client: Client, kind: Coordinated, keys: ReadonlyArray<string>): Effect.Effect<Coordinators, ItemError> => {
  const keyType = keyTypes[kind]
  const what = (key: string) => `The coordinator of the ${kind} '${key}'`
  const together = Effect.map(client.callAny(FindCoordinator, { keyType, coordinatorKeys: [...keys] }, { versionMin: manyKeysVersion }), ({ coordinators }) => {
    const found = coordinators.map(
      ({ errorCode, errorMessage, host, key, port }) => [key, resultOf<Address>(errorCode, what(key), errorMessage || null, { host, port })] as const
    )
    return new Map(found)
  })
  const one = (key: string) =>
    Effect.map(
      client.callAny(FindCoordinator, { key, keyType, coordinatorKeys: [] }, { versionMax: manyKeysVersion - 1 }),
      ({ errorCode, errorMessage, host, port }) => [key, resultOf<Address>(errorCode, what(key), errorMessage || null, { host, port })] as const
    )
  const oneByOne = Effect.map(Effect.forEach(keys, one, { concurrency: 16 }), (all): Coordinators => new Map(all))
  return Effect.catchTag(together, "UnsupportedByCluster", () => oneByOne)
}

/** Sends items to the coordinators of their keys, one request for each node. */
export const atCoordinators =
  <K, A>(
    client: Client,
    kind: Coordinated,
    keyOf: (item: K) => string,
    send: (node: Address, items: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Either.Either<A, ItemError>>, ItemError>
  ) =>
  (items: ReadonlyArray<K>): Effect.Effect<ReadonlyArray<Either.Either<A, ItemError>>> =>
    Effect.gen(function* () {
      const found = yield* Effect.either(findCoordinators(client, kind, [...new Set(items.map(keyOf))]))
      if (Either.isLeft(found)) return items.map(() => Either.left(found.left))
      // Equal addresses must be one key of the groups.
      const addresses = new Map<string, Address>()
      const nodeOf = (item: K) =>
        Either.map(found.right.get(keyOf(item)) ?? missing(`The coordinator of '${keyOf(item)}'`), (address) => {
          const name = `${address.host}:${address.port}`
          addresses.set(name, address)
          return name
        })
      return yield* grouped(items, nodeOf, (name, members) => send(addresses.get(name) as Address, members))
    })
