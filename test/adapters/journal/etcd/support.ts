import { Context, Effect, Layer, type Scope } from "effect"
import type { EtcdClient } from "../../../../adapters/journal/etcd/client.ts"
import { layerEtcd } from "../../../../adapters/journal/etcd/journal.ts"
import { layer as memoryStore } from "../../../../adapters/log/memory/layer.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"
import { Journal } from "../../../../src/ports/journal.ts"
import type { DirectoryLocked, LogFault } from "../../../../src/ports/log-store.ts"
import { candidate, type Held, stream } from "../../../src/ports/journal.contract.ts"
import { checksum } from "../../../src/ports/log-batches.ts"

export const leaseMs = 4000
/** The lease over a real etcd, whose disk may take seconds for a sync on a busy machine. Its tests end a lease in etcd, and wait for the end of none. */
export const realLeaseMs = 30_000
/** How long a call to a real etcd waits for its response: for the same reason longer than a node waits. */
export const realRequestTimeoutMs = 20_000
export type Service = Journal["Type"]

/** The journal of one process: its own disk for the copies. */
export const processLayer = (
  client: EtcdClient,
  prefix = "/franz",
  disk = new MemoryDisk(),
  lease = leaseMs
): Layer.Layer<Journal, DirectoryLocked | LogFault> =>
  layerEtcd({ client, prefix, leaseMs: lease }).pipe(Layer.provide(memoryStore(disk)), Layer.provide(checksum))

export const process = (client: EtcdClient, prefix?: string, lease?: number): Effect.Effect<Service, DirectoryLocked | LogFault, Scope.Scope> =>
  Effect.map(Layer.build(processLayer(client, prefix, undefined, lease)), (context) => Context.get(context, Journal))

/** Lets two processes lead in turn: `end` ends the lease of the one, then the other campaigns. */
export const rivals = (
  end: Effect.Effect<void>,
  other: Effect.Effect<Service, DirectoryLocked | LogFault, Scope.Scope>
): ((journal: Service) => Effect.Effect<Held, LogFault, Scope.Scope>) => {
  let first: Service | undefined
  let second: Service | undefined
  return (journal) =>
    Effect.gen(function* () {
      first ??= journal
      second ??= yield* Effect.orDie(other)
      yield* end
      const next = journal === first ? second : first
      return { journal: next, taken: yield* next.campaign(stream, candidate) }
    })
}
