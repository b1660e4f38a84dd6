import { spawnSync } from "node:child_process"

const git = (root: string, args: ReadonlyArray<string>): string | undefined => {
  const run = spawnSync("git", args, { cwd: root, encoding: "utf8" })
  return run.status === 0 ? run.stdout.trim() : undefined
}

/** The subjects of the commits since this rule: those that came after the file was added. None where git or its history is not there. */
export const subjectsSinceRule = (root: string): ReadonlyArray<string> => {
  const added = git(root, ["log", "--diff-filter=A", "--format=%H", "-1", "--", "scripts/tidy/commits.ts"])
  if (added === undefined || added === "") return []
  const subjects = git(root, ["log", "--no-merges", "--format=%s", `${added}..HEAD`])
  return subjects === undefined || subjects === "" ? [] : subjects.split("\n")
}
