import { Context, Effect } from "effect"
import { type LogFault, LogStore } from "../ports/log-store.ts"
import { BrokerSettings } from "./broker-settings.ts"
import type { OwnDirectories } from "./own-directories.ts"

const documentName = "clean-shutdown"
const clean = "clean"
/** The broker runs, or ended without a sync of its logs. */
const running = "running"

/** A full disk: the broker serves reads all the same. */
const warnOfMark = ({ message }: LogFault): Effect.Effect<void> =>
  Effect.logWarning(
    `The start could not be noted in the document ${documentName}: ${message} If the machine loses its power before this broker is stopped, records that were acknowledged and not synced are missing, and the cluster does not notice it.`
  )

/**
 * Whether the logs have all that this broker acknowledged, in a document beside them. Under `log.flush.policy=ack` they
 * always have. Under `interval` records are acknowledged before they are synced: then only a clean shutdown keeps them,
 * which is what the document says, as Kafka's `.kafka_cleanshutdown` does.
 */
export class CleanShutdown extends Context.Tag("comanche-franz/broker/CleanShutdown")<
  CleanShutdown,
  {
    /** Whether the logs have what earlier processes of this broker acknowledged. */
    readonly keepsWhatItAcknowledged: boolean
    /** Every log was synced, and no record will be appended. */
    readonly ended: Effect.Effect<void>
  }
>() {
  /** The directories are this broker's. */
  static readonly make: Effect.Effect<CleanShutdown["Type"], never, LogStore | BrokerSettings | OwnDirectories> = Effect.gen(function* () {
    const store = yield* LogStore
    const { config } = yield* BrokerSettings
    const isUnsynced = config["log.flush.policy"] === "interval"
    const documents = yield* Effect.orElseSucceed(store.readCheckpoint(documentName), () => undefined)
    const texts = documents?.map((bytes) => new TextDecoder().decode(bytes))
    // Without a document the broker never ran under `interval`, or a version ran that wrote none.
    const wasClean = texts !== undefined && (texts.length === 0 ? !isUnsynced : texts.every((text) => text === clean))
    const write = (text: string) => store.writeCheckpoint(documentName, new TextEncoder().encode(text), true)
    // Twice: where the newer copy is damaged, the one before it is read.
    if (isUnsynced) yield* Effect.catchAll(Effect.zipRight(write(running), write(running)), warnOfMark)
    const isNoted = isUnsynced || texts === undefined || texts.length > 0
    return { keepsWhatItAcknowledged: wasClean, ended: isNoted ? Effect.ignore(write(clean)) : Effect.void }
  })
}
