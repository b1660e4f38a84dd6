import { Effect, Either, Option } from "effect"
import type { Crc32c } from "../../../domain/log/crc32c.ts"
import { LogFault } from "../../../src/ports/log-store.ts"
import type { EtcdClient, EtcdFault } from "./client.ts"
import { batchOf, headerOf } from "./entry-value.ts"
import type { StreamKeys } from "./keys.ts"

/** Where a stream is in etcd. */
export interface StreamAccess {
  readonly stream: string
  readonly keys: StreamKeys
  readonly client: EtcdClient
  readonly crc32c: Crc32c
}

export const damaged = (stream: string, key: string, reason: string): LogFault =>
  new LogFault({ path: stream, reason: "corrupt", message: `The journal ${stream} is damaged in etcd, key ${key}: ${reason}. Restore etcd from a backup.` })

/** The batch whose first entry has this index, with the parts that are under keys of their own. */
export const batchAt = ({ client, keys, stream }: StreamAccess, index: number, value: Uint8Array): Effect.Effect<Uint8Array, EtcdFault | LogFault> =>
  Effect.gen(function* () {
    const header = Option.getOrUndefined(headerOf(value))
    const parts = header === undefined || header.parts === 0 ? [] : yield* client.range(keys.partsOf(index, header.epoch))
    const batch = batchOf(
      value,
      parts.map((part) => part.value)
    )
    return yield* Either.mapLeft(batch, (reason) => damaged(stream, keys.entry(index), reason))
  })
