import { Context } from "effect"
import { commandIdBytesMax, commandIdTag } from "../../domain/kernel/command-id.ts"
import type { Epoch } from "../../domain/kernel/id.ts"
import { clientCommandPrefix } from "./answers.ts"

/** A request that asks for a command, as far as the command's id tells of it. */
interface CommandOrigin {
  readonly header: {
    readonly apiKey: number
    readonly correlationId: number
    readonly unknownTags: ReadonlyArray<{ readonly tag: number; readonly data: Uint8Array }>
  }
  /** Unique in this process. */
  readonly connectionId: number
}

const utf8 = new TextDecoder("utf-8", { fatal: false })

/** A client's own id goes with what tells the commands of its request apart (a topic, a group), as long as that may be the name of a topic or a group. */
const partCharactersMax = 255

/**
 * Ids of commands. A client's own id, where its request carries one, has a prefix and the API's key; every other id is made for one use: the leader's epoch
 * is never used twice, and within it a counter rises.
 */
export class CommandIdFactory {
  private used = 0

  /** `holder`: the leader's epoch, or what no other process is called. */
  constructor(private readonly holder: Epoch | string) {}

  ofRequest({ header, connectionId }: CommandOrigin, part: string): string {
    const own = header.unknownTags.find(({ tag }) => tag === commandIdTag)?.data
    if (own !== undefined && own.length > 0 && own.length <= commandIdBytesMax && part.length <= partCharactersMax)
      return `${clientCommandPrefix}${header.apiKey}:${utf8.decode(own)}/${part}`
    return `e${this.holder}-c${connectionId}-${header.correlationId}-${this.used++}`
  }

  /** For what the leader does by itself. */
  own(): string {
    return `e${this.holder}-leader-${this.used++}`
  }
}

/** The ids of the commands that this process gives. */
export class CommandIds extends Context.Tag("comanche-franz/CommandIds")<CommandIds, CommandIdFactory>() {}
