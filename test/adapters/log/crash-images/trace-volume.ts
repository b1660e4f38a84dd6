import type { SyncableVolume, VolumeRound, VolumeSync } from "../../../../adapters/log/disk/volume-sync.ts"
import type { NodeId } from "./trace-disk.ts"

/** What the volume needs of its disk. */
interface TracedNodes {
  /** Changes so far. */
  readonly changes: () => number
  /** The nodes that were changed in this range of changes, with their current paths; a node without a name has none. */
  readonly changedIn: (from: number, to: number) => ReadonlyMap<NodeId, string>
  readonly synced: (node: NodeId, before: number) => void
  /** The kernel could not write the node, and reports it once more to the node's own sync. */
  readonly lost: (node: NodeId, before: number) => void
  readonly turns: () => number
}

/** A volume of a trace disk: a thread that runs one sync after the other, each of some turns. Directories in `elsewhere` are on another volume. */
export class TraceVolume implements SyncableVolume {
  /** Which of the following rounds fail: those that write a file with this path suffix. */
  failRound: { readonly suffix: string; left: number } | undefined
  elsewhere: ReadonlyArray<string> = []

  constructor(private readonly nodes: TracedNodes) {}

  readonly holds = (path: string): boolean => !this.elsewhere.some((directory) => path.startsWith(directory))
  readonly close = (): void => undefined

  readonly start = (heard: (round: VolumeRound) => void): VolumeSync => {
    let asked = 0
    let covered = 0
    let isRunning = false
    let isClosed = false
    const run = async (): Promise<void> => {
      isRunning = true
      await this.pass()
      heard({ covered, error: undefined, ms: 0 })
      while (covered !== asked && !isClosed) {
        await this.pass()
        const now = asked
        const before = this.nodes.changes()
        await this.pass()
        const error = this.write(before)
        covered = now
        if (!isClosed) heard({ covered, error, ms: 1 })
      }
      isRunning = false
    }
    void run()
    return {
      ask: () => {
        asked++
        if (!isRunning) void run()
        return asked
      },
      pause: () => undefined,
      hurry: () => undefined,
      close: () => {
        isClosed = true
      }
    }
  }

  private written = 0
  private write(before: number): Error | undefined {
    const changed = [...this.nodes.changedIn(this.written, before)].filter(([, path]) => this.holds(path))
    this.written = before
    const fault = this.failRound
    const lost = fault !== undefined && fault.left > 0 ? changed.find(([, path]) => path.endsWith(fault.suffix)) : undefined
    for (const [node] of changed) if (node !== lost?.[0]) this.nodes.synced(node, before)
    if (lost === undefined || fault === undefined) return undefined
    fault.left--
    this.nodes.lost(lost[0], before)
    return new Error("EIO: syncfs")
  }

  private async pass(): Promise<void> {
    for (let turns = this.nodes.turns(); turns > 0; turns--) await Promise.resolve()
  }
}
