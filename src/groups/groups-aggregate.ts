import { groupMetadataTopic } from "../../domain/cluster/topic/group-metadata.ts"
import type { Load } from "../../domain/group/capacity.ts"
import type { Command } from "../../domain/group/command.ts"
import { Event } from "../../domain/group/event.ts"
import { type Groups, GroupsState, groupsDecider } from "../../domain/group/groups.ts"
import type { Limits } from "../../domain/group/limits.ts"
import type { Rejection } from "../../domain/kernel/error-code.ts"
import type { Aggregate } from "../stream/aggregate.ts"
import type { Writer } from "../stream/writer.ts"

/** The name of a stream of groups in the journal. */
export const groupStreamName = (index: number): string => `${groupMetadataTopic}-${index}`

/** All groups of a stream; `elsewhere` is what the groups of the other streams hold. Where the disk takes no writes, the response is COORDINATOR_NOT_AVAILABLE: every client retries it. */
export const groupsAggregate = (limits: Limits, elsewhere?: () => Load): Aggregate<Groups, Command, Event, Rejection> => ({
  ...groupsDecider(limits, elsewhere),
  event: Event,
  state: GroupsState,
  unwritten: (message) => ({ error: "COORDINATOR_NOT_AVAILABLE", message })
})
export type GroupsWriter = Writer<Groups, Command, Event, Rejection>
