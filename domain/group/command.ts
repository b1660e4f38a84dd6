import { Data } from "effect"
import type { ClassicCommands } from "./classic/command.ts"
import type { GroupId } from "./id.ts"
import type { OffsetCommands } from "./offset/command.ts"

/**
 * What a group may be asked to do. Time (`at`, ms since the epoch) and chance (`newMemberId`) come as data. The bytes
 * in a command are kept: its maker owns them (no view of a frame that is used again).
 */
export type Command = Data.TaggedEnum<
  ClassicCommands &
    OffsetCommands & {
      DeleteGroup: { readonly groupId: GroupId; readonly at: number }
    }
>
export const Command = Data.taggedEnum<Command>()
export type CommandOf<Tag extends Command["_tag"]> = Extract<Command, { readonly _tag: Tag }>
