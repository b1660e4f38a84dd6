import { Either } from "effect"
import { isNodeSetting, type NodeConfig, nodeSetting, type SettingName } from "./node.ts"
import { type ConfigFault, parseSetting, type SettingValue, whileRunning } from "./setting.ts"

type Texts = Readonly<Record<string, string>>

/** From where a node has its settings; what stands further down goes before what stands above it. */
export interface NodeLayers {
  /** What it started with, defaults filled in. */
  readonly start: NodeConfig
  /** What of it was written down by somebody: in the file, a variable, or on the command line. */
  readonly written: ReadonlySet<SettingName>
  /** What was set for all nodes while the cluster runs. */
  readonly cluster: Texts
  /** What was set for this node while it runs. */
  readonly own: Texts
}

/** Names whose value is not the default: what can be said of a configuration that came without a file. */
export const changedNames = (start: NodeConfig): ReadonlySet<SettingName> =>
  new Set((Object.keys(start) as ReadonlyArray<SettingName>).filter((name) => start[name] !== nodeSetting(name).default))

/**
 * Reads what was set while the nodes run; why it is not heeded, for a value that a node could not work with, or that
 * this version does not know or change.
 */
export const runningValue = (name: string, text: string): Either.Either<readonly [SettingName, SettingValue], ConfigFault> => {
  if (!isNodeSetting(name)) return Either.left({ name, message: `${name.slice(0, 60)}: there is no such setting.` })
  if (nodeSetting(name).dynamic !== true) return Either.left({ name, message: `${name}: a node takes it when it starts.` })
  return Either.map(parseSetting(name, whileRunning(nodeSetting(name)), text), (value) => [name, value] as const)
}

/** The settings that are heeded: a node must start, and be reached, whatever an earlier version has let be set. */
export const heeded = (texts: Texts): Texts => Object.fromEntries(Object.entries(texts).filter(([name, text]) => Either.isRight(runningValue(name, text))))

/** What holds for a node now. Values were checked when they were set; one that is not heeded changes nothing. */
export const nodeConfigOf = ({ cluster, own, start }: Pick<NodeLayers, "start" | "cluster" | "own">): NodeConfig => {
  const changes = [...Object.entries(heeded(cluster)), ...Object.entries(heeded(own))].flatMap(([name, text]) =>
    Either.match(runningValue(name, text), { onLeft: () => [], onRight: (entry) => [entry] })
  )
  return changes.length === 0 ? start : ({ ...start, ...Object.fromEntries(changes) } as NodeConfig)
}
