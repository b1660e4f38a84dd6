import { Effect, Either } from "effect"
import type { TopicPartition } from "../../../client/cluster/topic-partition.ts"
import { type ClientFault, clientFailure } from "../../client/failure.ts"
import { CliFailure } from "../../shell/failure.ts"

/** What became of one partition. */
interface PartitionResult {
  readonly item: TopicPartition
  readonly result: Either.Either<void, ClientFault>
}

/** Reports each partition that was done, then fails with the sentences of all others. */
export const reported = (results: ReadonlyArray<PartitionResult>, done: (partition: TopicPartition) => void): Effect.Effect<void, CliFailure> => {
  const failures: Array<CliFailure> = []
  for (const { item, result } of results) {
    if (Either.isRight(result)) done(item)
    else failures.push(clientFailure(result.left))
  }
  const [first] = failures
  return first === undefined
    ? Effect.void
    : Effect.fail(new CliFailure({ exit: first.exit, message: failures.map(({ message }) => message).join("\n"), hint: first.hint }))
}
