/** Kafka's value for authorized operations that the request does not ask for. */
export const operationsNotAsked = -2_147_483_648

/** Kafka's codes of operations (KIP-430): a set is an int32 with one bit each. */
const operation = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12
}
const setOf = (...codes: ReadonlyArray<number>): number => codes.reduce((set, code) => set | (1 << code), 0)

const { read, write, create, delete: remove, alter, describe, clusterAction, describeConfigs, alterConfigs, idempotentWrite } = operation
/** All operations on a topic, a group or the cluster: without an authorizer every client may do them. */
export const topicOperations = setOf(read, write, create, remove, alter, describe, describeConfigs, alterConfigs)
export const groupOperations = setOf(read, remove, describe, describeConfigs, alterConfigs)
export const clusterOperations = setOf(create, alter, describe, clusterAction, describeConfigs, alterConfigs, idempotentWrite)
