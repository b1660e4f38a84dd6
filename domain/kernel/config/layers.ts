import { Either } from "effect"
import { isNodeSetting, type NodeConfig, nodeSetting, type SettingName } from "./node.ts"
import { parseSetting } from "./setting.ts"

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

/** What holds for a node now. Values were checked when they were set; one that this version does not read, or would not change while it runs, changes nothing. */
export const nodeConfigOf = ({ cluster, own, start }: Pick<NodeLayers, "start" | "cluster" | "own">): NodeConfig => {
  const changes = Object.entries({ ...cluster, ...own }).flatMap(([name, text]) => {
    if (!isNodeSetting(name) || nodeSetting(name).dynamic !== true) return []
    return Either.match(parseSetting(name, nodeSetting(name), text), { onLeft: () => [], onRight: (value) => [[name, value] as const] })
  })
  return changes.length === 0 ? start : ({ ...start, ...Object.fromEntries(changes) } as NodeConfig)
}
