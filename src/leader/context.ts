import { Context, Effect, type Either } from "effect"
import type { Command } from "../../domain/cluster/command.ts"
import type { Event } from "../../domain/cluster/event.ts"
import type { NodeConfig, SettingName } from "../../domain/kernel/config.ts"
import { errorCode, type Rejection } from "../../domain/kernel/error-code.ts"
import type { BrokerId } from "../../domain/kernel/id.ts"
import type { LogDirectory } from "../ports/log-store.ts"
import { metricsText } from "../ports/metrics.ts"
import type { DescribeConfigsOptions } from "../serve/configs/describe-configs.ts"
import type { Applied } from "../stream/answers.ts"
import { type CommandIdFactory, CommandIds } from "../stream/command-ids.ts"
import type { Submission } from "../stream/writer.ts"
import type { RequestContext } from "../wire/route.ts"
import { type Brokers, LeaderBrokers } from "./brokers/brokers.ts"
import { Candidates } from "./candidates/candidates.ts"
import type { ClusterWriter } from "./journal/cluster-aggregate.ts"
import { ClusterStream } from "./journal/cluster-stream.ts"
import { LeaderProducerIds } from "./producer-ids/producer-ids.ts"
import { LeaderSettings, partitionsPerBrokerMax } from "./settings.ts"

/** What the leader's handlers share. They hold it as a plain reference: a lookup for each request would cost a run of an Effect. */
export class LeaderContext extends Context.Tag("comanche-franz/leader/LeaderContext")<
  LeaderContext,
  {
    readonly nodeId: BrokerId
    /** The settings that this node started with. */
    readonly config: NodeConfig
    /** Partitions that one broker may hold (`franz.broker.partitions.max`). */
    readonly partitionsPerBrokerMax: number
    /** The settings of `config` that the operator wrote down; undefined: every setting that differs from its default. */
    readonly written: ReadonlySet<SettingName> | undefined
    readonly writer: ClusterWriter
    readonly brokers: Brokers
    /** The candidates that stand by for this leader. */
    readonly candidates: Candidates
    /** The directories of the journal. */
    readonly directories: ReadonlyArray<LogDirectory>
    readonly commandIds: CommandIdFactory
    readonly producerIds: LeaderProducerIds["Type"]
    /** Returns the node's metrics in Prometheus' text format; undefined where it has none. */
    readonly metrics: (() => string) | undefined
  }
>() {
  static readonly make: Effect.Effect<LeaderContext["Type"], never, LeaderSettings | ClusterStream | LeaderBrokers | CommandIds | LeaderProducerIds> =
    Effect.gen(function* () {
      const options = yield* LeaderSettings
      const { writer } = yield* ClusterStream
      return {
        nodeId: options.nodeId,
        config: options.config,
        written: options.written,
        directories: options.directories ?? [],
        partitionsPerBrokerMax: partitionsPerBrokerMax(options),
        writer,
        brokers: yield* LeaderBrokers,
        candidates: new Candidates(yield* Effect.clock, writer.state),
        commandIds: yield* CommandIds,
        producerIds: yield* LeaderProducerIds,
        metrics: yield* metricsText
      }
    })
}

/** A command as a request asks for it. `part` tells the commands of one request apart: a topic's name. */
export const submission = (leader: LeaderContext["Type"], command: Command, context: RequestContext, cause: string, part = ""): Submission<Command> => ({
  command,
  commandId: leader.commandIds.ofRequest(context, part),
  actor: context.actor,
  cause
})

export type ClusterOutcome = Either.Either<Applied<Event>, Rejection>

/** What the settings of this node and of topics are described from. */
export const describing = ({ config, nodeId, written, writer }: LeaderContext["Type"]): DescribeConfigsOptions => ({
  cluster: writer.state,
  nodeId,
  config,
  written
})

/** The two fields of a rejection in most responses. */
export const refusal = ({ error, message }: Rejection): { readonly errorCode: number; readonly errorMessage: string } => ({
  errorCode: errorCode(error),
  errorMessage: message
})
