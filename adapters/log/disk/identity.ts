import { Effect } from "effect"
import { type DirectoryIdentity, ForeignDirectory, type LogFault } from "../../../src/ports/log-store.ts"
import { drawDirectoryId, isDirectoryId } from "./directory-id.ts"
import { attempt, corrupt, type Disk, faultOf, readSmallFile } from "./disk.ts"

const fileName = "meta.properties"
const bytesMax = 65_536

/** The owner of a directory, and the directory's own id. */
interface ClaimedDirectory extends DirectoryIdentity {
  readonly directoryId: string
}
/** The same as it is on the disk: older versions wrote no id. */
type StoredIdentity = DirectoryIdentity & { readonly directoryId: string | undefined }

const encode = ({ clusterId, directoryId, nodeId }: ClaimedDirectory): Uint8Array =>
  new TextEncoder().encode(`#\nversion=1\n${clusterId === undefined ? "" : `cluster.id=${clusterId}\n`}node.id=${nodeId}\ndirectory.id=${directoryId}\n`)

const decode = (path: string, bytes: Uint8Array): StoredIdentity => {
  const lines = new TextDecoder().decode(bytes).split("\n")
  const valueOf = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .trim()
  const nodeId = valueOf("node.id") ?? ""
  if (valueOf("version") !== "1" || !/^\d{1,10}$/.test(nodeId))
    throw corrupt(path, `${path} does not say version=1 and node.id. Restore it, or move the directory away if it is not a data directory.`)
  const directoryId = valueOf("directory.id")
  if (directoryId !== undefined && !isDirectoryId(directoryId))
    throw corrupt(
      path,
      `${path} has a directory.id that is no UUID of 22 characters of base64url. Restore the file; without a copy remove that line, and the next start draws a new id.`
    )
  return { clusterId: valueOf("cluster.id"), nodeId: Number(nodeId), directoryId }
}

const foreign = (path: string, message: string): ForeignDirectory => new ForeignDirectory({ path, message })

const write = (disk: Disk, directory: string, identity: ClaimedDirectory): Effect.Effect<void, LogFault> =>
  Effect.gen(function* () {
    const path = `${directory}/${fileName}`
    const temporary = `${path}.tmp`
    const failed = (error: unknown) => faultOf(path, "write", error)
    const file = yield* attempt(temporary, "open", () => disk.open(temporary, "create"))
    yield* attempt(temporary, "write", () => {
      file.truncate(0)
      file.write([encode(identity)], 0)
    }).pipe(Effect.andThen(Effect.mapError(file.sync, failed)), Effect.ensuring(Effect.sync(() => file.close())))
    yield* attempt(path, "rename", () => disk.rename(temporary, path))
    yield* Effect.mapError(disk.syncDirectory(directory), failed)
  }).pipe(Effect.uninterruptible)

/** Whether an owner is written in the directory. */
export const isClaimed = (disk: Disk, directory: string): boolean => disk.exists(`${directory}/${fileName}`)

/**
 * Kafka's meta.properties: written the first time, completed with the cluster id once that is known, compared ever after. The directory's id is drawn once, also
 * for a directory of an older version, and never changes.
 */
export const claimDirectory = (
  disk: Disk,
  directory: string,
  { clusterId, nodeId }: DirectoryIdentity
): Effect.Effect<ClaimedDirectory, LogFault | ForeignDirectory> =>
  Effect.gen(function* () {
    const path = `${directory}/${fileName}`
    const found = yield* attempt(path, "read", () => (disk.exists(path) ? decode(path, readSmallFile(disk, path, bytesMax)) : undefined))
    if (found !== undefined && found.nodeId !== nodeId)
      return yield* foreign(directory, `${directory} belongs to node ${found.nodeId}, this is node ${nodeId}. Use another data directory, or that node's id.`)
    if (found?.clusterId !== undefined && clusterId !== undefined && found.clusterId !== clusterId)
      return yield* foreign(
        directory,
        `${directory} was written by cluster ${found.clusterId}, this node belongs to cluster ${clusterId}. Use another data directory, or join that cluster.`
      )
    const directoryId = found?.directoryId ?? (yield* drawDirectoryId)
    const identity = { clusterId: found?.clusterId ?? clusterId, nodeId, directoryId }
    if (found?.directoryId === undefined || found.clusterId !== identity.clusterId) yield* write(disk, directory, identity)
    return identity
  })
