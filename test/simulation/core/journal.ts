import type { Command } from "../../../domain/cluster/command.ts"
import type { Event } from "../../../domain/cluster/event.ts"
import { evolve } from "../../../domain/cluster/evolve.ts"
import { type Cluster, initial } from "../../../domain/cluster/state.ts"

/** Called for each event, with the states around it and the command that it is of. */
type Watcher = (before: Cluster, event: Event, after: Cluster, command: Command, epoch: number) => void

/** The cluster's journal: one linearizable list. A leader of the cluster appends under its epoch, and is refused under an older one (M5). */
export class Journal {
  /** The state after so many events. */
  readonly states: Array<Cluster> = [initial]
  /** The epoch of the leader that holds the journal. */
  epoch = 0

  constructor(private readonly watch: Watcher) {}

  get state(): Cluster {
    return this.states[this.states.length - 1] as Cluster
  }

  append(events: ReadonlyArray<Event>, command: Command, epoch: number): void {
    for (const event of events) {
      const before = this.state
      const after = evolve(before, event)
      this.states.push(after)
      this.watch(before, event, after, command, epoch)
    }
  }
}
