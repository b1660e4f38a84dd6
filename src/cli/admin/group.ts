import { Effect } from "effect"
import type { GroupDescription } from "../../client/admin/groups.ts"
import { count, forEachName, indented } from "../client/each.ts"
import { jsonOption, leaderOption, withAdmin } from "../client/options.ts"
import { command } from "../shell/command.ts"
import { bold, dim, print, printJson, table } from "../shell/screen.ts"
import { noArgument, repeatedArgument } from "../shell/spec.ts"
import { groupResetOffsets } from "./reset-offsets.ts"

const groups = repeatedArgument("GROUP", "One or several groups.")

const groupList = command({
  path: "group list",
  summary: "list consumer groups",
  example: ["franz group list"],
  options: { ...leaderOption, ...jsonOption },
  argument: noArgument,
  run: (words) =>
    withAdmin(words, (admin) =>
      Effect.map(admin.listGroups, (found) => {
        if (words.json) for (const group of found) printJson(group)
        else if (found.length === 0) print("No groups. A consumer creates one when it joins: `franz consume TOPIC --group NAME`.")
        else
          for (const line of table(
            ["GROUP", "STATE", "PROTOCOL"],
            found.map(({ group, protocolType, state }) => [group, state, protocolType])
          ))
            print(line)
      })
    )
})

/** "orders-0,1,5 audit-2". */
const assignedTo = (partitions: GroupDescription["members"][number]["partitions"]): string => {
  const byTopic = new Map<string, Array<number>>()
  for (const { partition, topic } of partitions) byTopic.set(topic, [...(byTopic.get(topic) ?? []), partition])
  return [...byTopic].map(([topic, list]) => `${topic}-${list.sort((a, b) => a - b).join(",")}`).join(" ") || "no partitions"
}

const show = ({ assignor, group, members, offsets, state }: GroupDescription): void => {
  const lag = offsets.reduce((sum, one) => sum + (one.lag ?? 0), 0)
  print(`${bold(group)}  ${state}  ${count(members.length, "member")}${assignor === "" ? "" : `  ${assignor}`}  lag ${lag}`)
  if (members.length > 0)
    for (const line of indented(
      ["MEMBER", "HOST", "READS"],
      members.map(({ clientId, host, instanceId, memberId, partitions }) => [instanceId ?? (memberId || clientId), host, assignedTo(partitions)])
    ))
      print(line)
  if (offsets.length === 0) print(dim("  no committed offsets"))
  else
    for (const line of indented(
      ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG"],
      offsets.map(({ committed, end, lag: behind, partition, topic }) => [topic, partition, committed, end ?? "?", behind ?? "?"])
    ))
      print(line)
}

const groupDescribe = command({
  path: "group describe",
  summary: "describe groups: members, partitions, committed offsets, lag",
  example: ["franz group describe billing"],
  options: { ...leaderOption, ...jsonOption },
  argument: groups,
  run: (words, names) =>
    withAdmin(words, (admin) => forEachName(names, (name) => Effect.map(admin.describeGroup(name), (group) => (words.json ? printJson(group) : show(group)))))
})

const groupDelete = command({
  path: "group delete",
  summary: "delete groups without members, and their offsets",
  example: ["franz group delete billing"],
  options: { ...leaderOption, ...jsonOption },
  argument: groups,
  run: (words, names) =>
    withAdmin(words, (admin) =>
      forEachName(names, (name) =>
        Effect.map(admin.deleteGroup(name), () => (words.json ? printJson({ group: name, deleted: true }) : print(`${name}: deleted`)))
      )
    )
})

export const groupCommands = [groupList, groupDescribe, groupResetOffsets, groupDelete] as const
