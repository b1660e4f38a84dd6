import { kafkaError } from "../../../domain/kernel/error-code.ts"
import { OffsetFetch } from "../../../src/protocol/message/09-offset-fetch.ts"
import { FindCoordinator } from "../../../src/protocol/message/10-find-coordinator.ts"
import { DescribeGroups } from "../../../src/protocol/message/15-describe-groups.ts"
import { asking } from "../topic-state.ts"

const findVersion = 4
const offsetFetchVersion = 8
const describeVersion = 5
const withinMs = 3000

/** Undefined where the node is not there, or does not answer in time. */
const answer = <A>(port: number, ask: Parameters<typeof asking<A | undefined>>[1]): Promise<A | undefined> => asking(port, ask, withinMs).catch(() => undefined)

/** The broker that coordinates a group, as another broker knows it. */
export const coordinatorOf = (port: number, group: string): Promise<number | undefined> =>
  answer(port, async (connection) => {
    const { coordinators } = await connection.call(FindCoordinator, findVersion, { keyType: 0, coordinatorKeys: [group] })
    const [found] = coordinators
    return found !== undefined && kafkaError(found.errorCode) === "NONE" ? found.nodeId : undefined
  })

/** The committed offsets of a group in a topic. Undefined where the broker does not coordinate it. */
export const committedOffsets = (port: number, group: string, topic: string): Promise<ReadonlyMap<number, number> | undefined> =>
  answer(port, async (connection) => {
    const { groups } = await connection.call(OffsetFetch, offsetFetchVersion, { groups: [{ groupId: group, topics: null }] })
    const [found] = groups
    if (found === undefined || kafkaError(found.errorCode) !== "NONE") return undefined
    const partitions = found.topics.find(({ name }) => name === topic)?.partitions ?? []
    return new Map(partitions.map(({ committedOffset, partitionIndex }) => [partitionIndex, Number(committedOffset)]))
  })

/** The state of a group and the number of its members. Undefined where the broker does not coordinate it. */
export const groupState = (port: number, group: string): Promise<{ readonly state: string; readonly members: number } | undefined> =>
  answer(port, async (connection) => {
    const { groups } = await connection.call(DescribeGroups, describeVersion, { groups: [group], includeAuthorizedOperations: false })
    const [found] = groups
    if (found === undefined || kafkaError(found.errorCode) !== "NONE") return undefined
    return { state: found.groupState, members: found.members.length }
  })
