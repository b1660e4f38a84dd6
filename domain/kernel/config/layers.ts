import { Either } from "effect"
import { isNodeSetting, type NodeConfig, nodeSetting, type SettingName } from "./node.ts"
import { type ConfigFault, parseSetting, type SettingValue, whileRunning } from "./setting.ts"

type Texts = Readonly<Record<string, string>>

/** The sources of a node's settings; a later one takes precedence over an earlier one. */
export interface NodeLayers {
  /** What it started with, defaults filled in. */
  readonly start: NodeConfig
  /** The settings that an operator wrote: in the file, a variable, or on the command line. */
  readonly written: ReadonlySet<SettingName>
  /** What was set for all nodes while the cluster runs. */
  readonly cluster: Texts
  /** What was set for this node while it runs. */
  readonly own: Texts
}

/** Returns the names whose value is not the default: all that is known of a configuration without a file. */
export const changedNames = (start: NodeConfig): ReadonlySet<SettingName> =>
  new Set((Object.keys(start) as ReadonlyArray<SettingName>).filter((name) => start[name] !== nodeSetting(name).default))

/**
 * Reads a setting that was changed while the nodes run; or returns why it is ignored: a node could not work with the
 * value, or this version does not know the setting or cannot change it.
 */
export const runningValue = (name: string, text: string): Either.Either<readonly [SettingName, SettingValue], ConfigFault> => {
  if (!isNodeSetting(name)) return Either.left({ name, message: `${name.slice(0, 60)}: there is no such setting.` })
  if (nodeSetting(name).dynamic !== true) return Either.left({ name, message: `${name}: a node takes it when it starts.` })
  return Either.map(parseSetting(name, whileRunning(nodeSetting(name)), text), (value) => [name, value] as const)
}

/**
 * Returns the settings that take effect: a node must start and be reachable, whatever an earlier version has accepted.
 */
export const effective = (texts: Texts): Texts => Object.fromEntries(Object.entries(texts).filter(([name, text]) => Either.isRight(runningValue(name, text))))

/**
 * Returns the present settings of a node. Values were checked when they were set; one that is ignored changes nothing.
 */
export const nodeConfigOf = ({ cluster, own, start }: Pick<NodeLayers, "start" | "cluster" | "own">): NodeConfig => {
  const changes = [...Object.entries(effective(cluster)), ...Object.entries(effective(own))].flatMap(([name, text]) =>
    Either.match(runningValue(name, text), { onLeft: () => [], onRight: (entry) => [entry] })
  )
  return changes.length === 0 ? start : ({ ...start, ...Object.fromEntries(changes) } as NodeConfig)
}
