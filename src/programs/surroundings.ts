import { FiberRef, GlobalValue, type Layer } from "effect"
import type { Checksum } from "../ports/checksum.ts"
import type { DirectoryLocked, LogFault, LogStore } from "../ports/log-store.ts"
import type { Transport } from "../ports/transport.ts"

/** What a test cluster puts in the place of the machine's network and disks. An absent part stays the machine's. */
interface Surroundings {
  readonly transport?: Layer.Layer<Transport>
  /** The store of a node's data directories. */
  readonly store?: (directory: string | ReadonlyArray<string>) => Layer.Layer<LogStore, DirectoryLocked | LogFault, Checksum>
}

/**
 * The surroundings of the clients and nodes that a fiber starts. A FiberRef as Effect's clock is one, so that a layer
 * replaces both for the same fibers. One for the process, since the entries of the package may be bundled apart.
 */
export const surroundings: FiberRef.FiberRef<Surroundings> = GlobalValue.globalValue("comanche-franz/surroundings", () => FiberRef.unsafeMake<Surroundings>({}))
