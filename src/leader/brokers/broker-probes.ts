import { Effect, Queue } from "effect"
import type { BrokerId } from "../../../domain/kernel/id.ts"
import type { RegisteredBroker } from "../../wire/session.ts"

/** What happened to the connections of a registered broker. */
interface LinkEvent extends RegisteredBroker {
  readonly kind: "registered" | "lost"
}

/** Connections to brokers that are attempted at the same time, at most. */
const probesMax = 16
/** Events that wait at most; of further ones the session timeout takes care. */
const waitingMax = 1000

/**
 * What is to be probed: the advertised address of a broker that has registered, and that of one that has lost its
 * connections. A refused connection shows that no process listens there, which is known in less than a second; a session
 * takes seconds to expire. It counts only where the address was reached since the broker registered, or where the broker
 * was at the host of the leader before and is not heard.
 */
export class BrokerProbes {
  /** The epochs under which brokers were connected to this leader, and those under which their addresses were reached. */
  private readonly heard = new Map<number, number>()
  private readonly reached = new Map<number, number>()

  private constructor(
    private readonly events: Queue.Queue<LinkEvent>,
    private readonly turns: Effect.Semaphore
  ) {}

  static readonly make: Effect.Effect<BrokerProbes> = Effect.map(
    Effect.all([Queue.dropping<LinkEvent>(waitingMax), Effect.makeSemaphore(probesMax)]),
    ([events, turns]) => new BrokerProbes(events, turns)
  )

  /** A registration has its first connection. */
  readonly registered = ({ epoch, id }: RegisteredBroker): void => {
    this.heard.set(id, epoch)
    this.events.unsafeOffer({ kind: "registered", id, epoch })
  }
  /** The last connection of the registration has closed. */
  readonly lost = ({ epoch, id }: RegisteredBroker): void => void this.events.unsafeOffer({ kind: "lost", id, epoch })

  get next(): Effect.Effect<LinkEvent> {
    return Queue.take(this.events)
  }

  /** Whether the broker was ever connected to this leader under this epoch. */
  wasHeard({ epoch, id }: RegisteredBroker): boolean {
    return this.heard.get(id) === epoch
  }

  /** Waits for one of the turns in which brokers are connected to, and runs the attempt. */
  inTurn<A, E, R>(attempt: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return this.turns.withPermits(1)(attempt)
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
    this.heard.delete(id)
    this.reached.delete(id)
  }
}
