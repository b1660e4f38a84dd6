import { Deferred, Effect, Exit, Scope } from "effect"
import { RelayFailure } from "../serve/relay/relay-failure.ts"
import type { Link } from "../wire/link.ts"

/**
 * Requests in flight on one link. A JoinGroup may wait for minutes, and the leader bounds the requests in flight of a
 * connection.
 */
const perLinkMax = 32
/** Links to the leader for relayed requests. Together they carry at most 2,048 requests. */
const linksMax = 64

interface PooledLink {
  readonly link: Effect.Effect<Link, RelayFailure>
  readonly scope: Scope.CloseableScope
  /** Undefined until the connection is open. */
  opened: Link | undefined
  inUse: number
  broken: boolean
}

/** Whether the next request needs another link: this one failed, or the leader closed it because it was idle. */
const isUnusable = ({ broken, opened }: PooledLink): boolean => broken || opened?.isOpen() === false

/** The links to the leader that relayed requests share. They are opened on demand, and close with `scope`. */
export class RelayLinks {
  private readonly pool: Array<PooledLink> = []

  constructor(
    private readonly open: Effect.Effect<Link, RelayFailure, Scope.Scope>,
    private readonly scope: Scope.Scope
  ) {}

  /** Runs `use` on an open link with fewer than `perLinkMax` requests in flight, or on a new one. */
  readonly withLink = <A>(use: (link: Link) => Effect.Effect<A, RelayFailure>): Effect.Effect<A, RelayFailure> =>
    Effect.acquireUseRelease(
      this.acquire,
      (pooled) =>
        Effect.flatMap(pooled.link, (link) => {
          pooled.opened = link
          return use(link)
        }),
      (pooled, exit) => this.release(pooled, Exit.isFailure(exit))
    )

  private readonly acquire: Effect.Effect<PooledLink, RelayFailure> = Effect.suspend(() => {
    const free = this.pool.find((pooled) => !isUnusable(pooled) && pooled.inUse < perLinkMax)
    if (free !== undefined) {
      free.inUse++
      return Effect.succeed(free)
    }
    const idle = this.pool.filter((pooled) => pooled.inUse === 0 && isUnusable(pooled))
    if (this.pool.length - idle.length >= linksMax)
      return Effect.fail(new RelayFailure({ message: `${linksMax * perLinkMax} requests to the leader are in flight already` }))
    return Effect.zipRight(
      Effect.forEach(idle, (pooled) => this.close(pooled), { discard: true }),
      this.openLink()
    )
  })

  private openLink(): Effect.Effect<PooledLink> {
    return Effect.gen(this, function* () {
      const scope = yield* Scope.fork(this.scope, { _tag: "Sequential" })
      const link = yield* Deferred.make<Link, RelayFailure>()
      // Forked in the link's scope, not run in the caller's fiber: an interrupted request must not close the link for
      // others that wait for it.
      yield* this.open.pipe(Scope.extend(scope), Effect.intoDeferred(link), Effect.interruptible, Effect.forkIn(scope))
      const pooled: PooledLink = { link: Deferred.await(link), scope, opened: undefined, inUse: 1, broken: false }
      this.pool.push(pooled)
      return pooled
    })
  }

  /**
   * After a failure the link takes no new requests: the connection may be lost or slow. The last request in flight
   * closes it.
   */
  private release(pooled: PooledLink, failed: boolean): Effect.Effect<void> {
    return Effect.suspend(() => {
      pooled.inUse--
      if (failed) pooled.broken = true
      return pooled.broken && pooled.inUse === 0 ? this.close(pooled) : Effect.void
    })
  }

  private close(pooled: PooledLink): Effect.Effect<void> {
    const at = this.pool.indexOf(pooled)
    if (at >= 0) this.pool.splice(at, 1)
    return Scope.close(pooled.scope, Exit.void)
  }
}
