import type { GroupId } from "./id.ts"
import type { Offsets } from "./offset/committed.ts"
import type { GroupType } from "./type.ts"

/** What a group of any type has. */
export interface AnyGroup {
  readonly type: GroupType
  readonly groupId: GroupId
  readonly offsets: Offsets
  /** Derived: bytes of all members and pending ids, and of all offsets. */
  readonly memberBytes: number
  readonly offsetBytes: number
}
