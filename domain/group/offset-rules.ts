import { classicOffsetRules } from "./classic/offset-rules.ts"
import type { OffsetRules } from "./offset/rules.ts"
import type { Group } from "./state.ts"

const rules: { readonly [Type in Group["type"]]: OffsetRules<Extract<Group, { readonly type: Type }>> } = { classic: classicOffsetRules }

/** Returns the rules of the group's type for its committed offsets. */
export const offsetRulesOf = (group: Group): OffsetRules<Group> => rules[group.type]
