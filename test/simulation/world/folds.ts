import { defaults } from "../../../domain/group/limits.ts"
import { groupStreamName, groupsAggregate } from "../../../src/groups/groups-aggregate.ts"
import { clusterAggregate, clusterStream } from "../../../src/leader/journal/cluster-aggregate.ts"
import { type Fold, foldOf } from "../checker/metadata.ts"

/** Streams over which the groups of a run are spread. */
export const groupStreamCount = 2

export const clusterFold: Fold = foldOf({ stream: clusterStream, ...clusterAggregate })
/** Limits decide what may happen, never what an event means, so that any will do to fold. */
const groupFolds: ReadonlyArray<Fold> = Array.from({ length: groupStreamCount }, (_, n) => foldOf({ stream: groupStreamName(n), ...groupsAggregate(defaults) }))
export const folds: ReadonlyArray<Fold> = [clusterFold, ...groupFolds]
