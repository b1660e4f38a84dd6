/**
 * `./franz COMMAND --help` for the commands that work on a checkout: the comment at the head of scripts/COMMAND.ts, which tells the command, its options and its exit codes.
 */
import { join } from "node:path"

const command = process.argv[2] ?? ""
const width = Math.min(process.stdout.columns ?? 100, 120)
const source = await Bun.file(join(import.meta.dir, `${command}.ts`)).text()
const head = /^\/\*\*(.*?)\*\//s.exec(source)?.[1] ?? ""
const lines = head
  .split("\n")
  .map((line) => line.replace(/^ \*/, "").trim())
  .join(" ")
  .replaceAll("`", "")
  .split(/\s+/)
  .filter((word) => word !== "")
  .reduce<ReadonlyArray<string>>((before, word) => {
    const last = before.at(-1)
    return last === undefined || last.length + word.length >= width ? [...before, word] : [...before.slice(0, -1), `${last} ${word}`]
  }, [])
console.log(lines.join("\n"))
