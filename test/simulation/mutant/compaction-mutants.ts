import { Effect } from "effect"
import { noteFileName } from "../../../adapters/log/compaction/note.ts"
import { MemoryDisk } from "../../../adapters/log/memory/memory-disk.ts"
import { OffsetMap } from "../../../domain/log/offset-map.ts"
import type { Options } from "../options.ts"
import type { Mutant } from "./mutant.ts"

const isCompacting = ({ compaction }: Options): boolean => compaction !== undefined

/** Of so many looks one finds a record superseded that is the last of its key. */
const dropEvery = 5
export const lastOfKeyDropped: Mutant = {
  name: "last-of-key-dropped",
  likelySeed: 5,
  mistake: "compaction now and then drops the last record of a key",
  showsIn: isCompacting,
  plant: () => {
    const { get } = OffsetMap.prototype
    let looks = 0
    OffsetMap.prototype.get = function (key) {
      const offset = get.call(this, key)
      return offset >= 0 && ++looks % dropEvery === 0 ? offset + 1 : offset
    }
    return () => {
      OffsetMap.prototype.get = get
    }
  }
}

/** A disk that takes its time with what compaction writes: a sync of it answers and does nothing. */
class HastyDisk extends MemoryDisk {
  override session(): ReturnType<MemoryDisk["session"]> {
    const real = super.session()
    return {
      ...real,
      open: (path, mode) => {
        const file = real.open(path, mode)
        return path.endsWith(".cleaned") ? { ...file, sync: Effect.void } : file
      }
    }
  }
}
export const compactedNotSynced: Mutant = {
  name: "compacted-not-synced",
  likelySeed: 5,
  mistake: "a compacted segment takes the place of others before it is on disk",
  showsIn: isCompacting,
  disk: () => new HastyDisk()
}

/** A disk that never shows what compaction noted. */
class NotelessDisk extends MemoryDisk {
  override session(): ReturnType<MemoryDisk["session"]> {
    const real = super.session()
    return {
      ...real,
      list: (path) => real.list(path).filter((name) => name !== noteFileName),
      exists: (path) => !path.endsWith(`/${noteFileName}`) && real.exists(path)
    }
  }
}
export const gapsAreDamage: Mutant = {
  name: "gaps-are-damage",
  mistake: "a broker that starts does not know any more where compaction left gaps",
  showsIn: isCompacting,
  disk: () => new NotelessDisk()
}
