import { DescribeLogDirs } from "../../protocol/message/35-describe-log-dirs.ts"
import { type Route, route } from "../../wire/route.ts"

/** DescribeLogDirs for a node that leads the cluster and is no broker: it keeps no partitions, so it has none to tell of. Kafka's tool asks every node that it finds. */
export const noLogDirs: Route = route(DescribeLogDirs, {}, () => ({ throttleTimeMs: 0, errorCode: 0, results: [] }))
