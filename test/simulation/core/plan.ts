import type { Chance } from "../chance.ts"

/** One fault, or one thing that an operator does. Durations in ms. Which partition or replica it means is drawn from `pick`. */
export type PlannedStep = { readonly at: number; readonly pick: number } & (
  | { readonly kind: "kill" | "power cut" | "shutdown" | "wipe" | "pause"; readonly broker: number; readonly forMs: number }
  | { readonly kind: "cut" | "one-way cut"; readonly from: number; readonly to: number; readonly forMs: number }
  /** From the leaders of the cluster. */
  | { readonly kind: "isolate"; readonly broker: number; readonly forMs: number }
  | { readonly kind: "slow image" | "slow disk" | "lost AlterPartition answers"; readonly broker: number; readonly forMs: number }
  | { readonly kind: "damage"; readonly broker: number }
  | { readonly kind: "candidate killed" | "candidate paused"; readonly candidate: number; readonly forMs: number }
  | { readonly kind: "kill leader" | "pause leader" | "power cut of an in-sync set"; readonly forMs: number }
  | {
      readonly kind:
        | "move"
        | "move leader"
        | "cancel moves"
        | "elect preferred"
        | "elect uncleanly"
        | "raise min ISR"
        | "lower min ISR"
        | "replace fenced brokers"
    }
  | { readonly kind: "add partitions" | "remove topic" | "add topic" }
)
type StepKind = PlannedStep["kind"]

interface PlanBounds {
  readonly brokers: number
  readonly candidates: number
  readonly faultsMs: number
  /** Mean time between two steps. */
  readonly everyMs: number
  /** Whether operators elect replicas that lack records. */
  readonly loses: boolean
}

const kinds: ReadonlyArray<readonly [StepKind, number]> = [
  ["kill", 6],
  ["power cut", 6],
  ["shutdown", 3],
  ["wipe", 3],
  ["pause", 5],
  ["cut", 5],
  ["one-way cut", 4],
  ["isolate", 3],
  ["slow image", 5],
  ["slow disk", 3],
  ["lost AlterPartition answers", 3],
  ["damage", 2],
  ["candidate killed", 2],
  ["candidate paused", 2],
  ["kill leader", 5],
  ["pause leader", 4],
  ["power cut of an in-sync set", 2],
  ["move", 7],
  ["move leader", 3],
  ["cancel moves", 4],
  ["elect preferred", 3],
  ["raise min ISR", 2],
  ["lower min ISR", 2],
  ["replace fenced brokers", 2],
  ["add partitions", 1],
  ["remove topic", 1],
  ["add topic", 2]
]

const durationOf = (chance: Chance): number => chance.pick([300, 1500, 4000, 12_000, 25_000])

const stepOf = (chance: Chance, kind: StepKind, at: number, { brokers, candidates }: PlanBounds): PlannedStep => {
  const head = { at, pick: chance.below(0x7fff_ffff) }
  const broker = chance.below(brokers)
  const other = (broker + 1 + chance.below(brokers - 1)) % brokers
  const forMs = durationOf(chance)
  switch (kind) {
    case "cut":
    case "one-way cut":
      return { ...head, kind, from: broker, to: other, forMs }
    case "candidate killed":
    case "candidate paused":
      return { ...head, kind, candidate: chance.below(candidates), forMs }
    case "damage":
      return { ...head, kind, broker }
    case "kill":
    case "power cut":
    case "shutdown":
    case "wipe":
    case "pause":
    case "isolate":
    case "slow image":
    case "slow disk":
    case "lost AlterPartition answers":
      return { ...head, kind, broker, forMs }
    case "kill leader":
    case "pause leader":
    case "power cut of an in-sync set":
      return { ...head, kind, forMs }
    default:
      return { ...head, kind }
  }
}

/** The steps of a run, drawn before it begins: a shorter run is one with fewer of them. */
export const drawPlan = (chance: Chance, bounds: PlanBounds): ReadonlyArray<PlannedStep> => {
  const weighted = bounds.loses ? [...kinds, ["elect uncleanly", 6] as const] : kinds
  const total = weighted.reduce((sum, [, weight]) => sum + weight, 0)
  const steps: Array<PlannedStep> = []
  for (let at = 4000 + chance.below(bounds.everyMs); at < bounds.faultsMs; at += 1 + chance.below(2 * bounds.everyMs)) {
    let left = chance.below(total)
    const kind = weighted.find(([, weight]) => (left -= weight) < 0)?.[0] as StepKind
    steps.push(stepOf(chance, kind, at, bounds))
  }
  return steps
}
