import { Effect, Queue } from "effect"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import type { RegisteredBroker } from "../../wire/session.ts"

/** What happened to the connections of a registered broker. */
interface LinkEvent extends RegisteredBroker {
  readonly kind: "registered" | "lost"
}

/** Events that wait at most; of further ones the session timeout takes care. */
const waitingMax = 1000

/**
 * What is to be probed: the advertised address of a broker that has registered, and that of one that has lost its
 * connections. A refused connection shows that no process listens there, which is known in less than a second; a session
 * takes seconds to expire. It counts only where the address was reached when the broker registered.
 */
export class BrokerProbes {
  private readonly reached = new Map<number, number>()

  private constructor(private readonly events: Queue.Queue<LinkEvent>) {}

  static readonly make: Effect.Effect<BrokerProbes> = Effect.map(Queue.dropping<LinkEvent>(waitingMax), (events) => new BrokerProbes(events))

  /** The broker has registered with a new epoch. */
  readonly registered = ({ epoch, id }: RegisteredBroker): void => void this.events.unsafeOffer({ kind: "registered", id, epoch })
  /** The last connection of the registration has closed, and the broker did not say that it stops. */
  readonly lost = ({ epoch, id }: RegisteredBroker): void => void this.events.unsafeOffer({ kind: "lost", id, epoch })

  get next(): Effect.Effect<LinkEvent> {
    return Queue.take(this.events)
  }

  /** The broker was reached at its advertised address under this epoch. */
  wasReached({ epoch, id }: RegisteredBroker): void {
    this.reached.set(id, epoch)
  }
  /** Whether a refused connection shows that the process of the broker has ended. */
  isReachable({ epoch, id }: RegisteredBroker): boolean {
    return this.reached.get(id) === epoch
  }
  /** The broker is registered no longer. */
  forget(id: BrokerId): void {
    this.reached.delete(id)
  }
}
