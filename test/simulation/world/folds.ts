import { clusterAggregate, clusterStream } from "../../../src/leader/cluster-aggregate.ts"
import { type Fold, foldOf } from "../checker/metadata.ts"

export const clusterFold: Fold = foldOf({ stream: clusterStream, ...clusterAggregate })
