import type { LogFault, PartitionLog } from "../../../ports/log-store.ts"

/** Syncs a log in the background, one sync at a time. A request that comes during one is served by the next, since the running one may not cover its records. */
export class BackgroundSync {
  private running = false
  private isAsked = false

  constructor(
    private readonly log: PartitionLog,
    private readonly failed: (fault: LogFault) => void,
    /** Called after each sync that succeeded. */
    private readonly synced: () => void = () => undefined
  ) {}

  /** Records that are not durable. */
  get unsynced(): number {
    return this.log.end() - this.log.syncedEnd()
  }

  start(): void {
    this.isAsked = this.running
    if (this.running) return
    this.running = true
    this.log.whenSynced(this.log.end() - 1, (fault) => {
      this.running = false
      if (fault !== undefined) return this.failed(fault)
      this.synced()
      if (this.isAsked) this.start()
    })
  }
}
