import type { TopicId } from "../../../domain/kernel/id.ts"
import { baseOffsetOfLogFile } from "../../../domain/log/segment.ts"
import type { ReadableDisk } from "../disk/disk.ts"

/** A log's directory, by the name that the store gave it; no id where it has another name. */
export interface LogLocation {
  readonly directory: string
  readonly topicId: TopicId | undefined
  readonly partition: number | undefined
}

/** A directory that one node holds, with its logs. */
export interface DataDirectory {
  readonly path: string
  readonly logs: ReadonlyArray<LogLocation>
}

const logForm = /^([A-Za-z0-9_-]{22})-(\d{1,10})$/
const nodeForm = /^(leader|broker-\d{1,10})$/
const lockName = "lock"
const ownNames = new Set([lockName, "meta.properties", "checkpoints"])

const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1)
const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf("/")))

const placeOf = (directory: string): LogLocation => {
  const [, topicId, partition] = logForm.exec(baseName(directory)) ?? []
  return { directory, topicId: topicId as TopicId | undefined, partition: partition === undefined ? undefined : Number(partition) }
}

/** Whether a node's lock may be in the directory: no node has been here without making it. */
export const mayBeHeld = (disk: ReadableDisk, directory: string): boolean => disk.exists(`${directory}/${lockName}`)

const dataDirectory = (path: string, names: ReadonlyArray<string>): DataDirectory => ({
  path,
  logs: names
    .filter((name) => logForm.test(name))
    .sort()
    .map((name) => placeOf(`${path}/${name}`))
})

/**
 * What is at `path` (absolute): a node's data directory, one with the directories of several nodes in it (as `franz up` makes it), or the directory of one
 * partition; empty for anything else. Throws what the disk throws.
 */
export const dataDirectories = (disk: ReadableDisk, path: string): ReadonlyArray<DataDirectory> => {
  const names = disk.list(path)
  if (names.some((name) => ownNames.has(name) || logForm.test(name))) return [dataDirectory(path, names)]
  if (logForm.test(baseName(path)) || names.some((name) => baseOffsetOfLogFile(name) !== undefined)) return [{ path: parentOf(path), logs: [placeOf(path)] }]
  return names
    .filter((name) => nodeForm.test(name))
    .sort()
    .map((name) => dataDirectory(`${path}/${name}`, disk.list(`${path}/${name}`)))
}
