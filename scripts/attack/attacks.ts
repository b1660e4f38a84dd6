import type { Attack } from "./attack.ts"
import { clusterAttacks } from "./attacks/cluster.ts"
import { connectionAttacks } from "./attacks/connections.ts"
import { memoryAttacks } from "./attacks/memory.ts"
import { moveAttacks } from "./attacks/moves.ts"
import { mutated } from "./attacks/mutated.ts"
import { recordAttacks } from "./attacks/records.ts"
import { wideAttacks } from "./attacks/wide.ts"

export const attacks: ReadonlyArray<Attack> = [
  ...memoryAttacks,
  ...wideAttacks,
  ...clusterAttacks,
  ...recordAttacks,
  ...connectionAttacks,
  ...moveAttacks,
  mutated
]
