/** `./franz package --matrix [WORD…]`: the parts whose names have each word, and a table of what they did. */
import { join } from "node:path"
import { type Part, partsOf } from "./parts.ts"
import { Projects, pack } from "./project.ts"
import { bringTools, toolsAreThere } from "./tools.ts"

const nameOf = ({ group, name }: Part): string => `${group}: ${name}`

/** Returns whether every part passed. */
export const printMatrix = async (root: string, published: string, words: ReadonlyArray<string>): Promise<boolean> => {
  const parts = partsOf(root).filter((part) => words.every((word) => nameOf(part).toLowerCase().includes(word.toLowerCase())))
  if (parts.length === 0) {
    console.error(`franz package: no part of the matrix has ${words.join(" ")} in its name.`)
    return false
  }
  if (!toolsAreThere()) {
    console.log("franz package: bringing Node 20, 22 and 24 and the tools of the matrix, about 250 MB (once) …")
    bringTools()
  }
  const projects = Projects.of(root, await pack(published, join(root, "dist")))
  const failures: Array<string> = []
  console.log("| part | result | seconds |\n| --- | --- | --- |")
  for (const part of parts) {
    const started = performance.now()
    let result = "ok"
    try {
      await part.run(projects)
    } catch (error) {
      result = "FAILED"
      failures.push(`== ${nameOf(part)}\n${error instanceof Error ? error.message : String(error)}`)
    }
    console.log(`| ${nameOf(part)} | ${result} | ${((performance.now() - started) / 1000).toFixed(1)} |`)
  }
  projects.remove()
  console.log(`\n${parts.length - failures.length} of ${parts.length} passed\n${failures.join("\n\n")}`)
  return failures.length === 0
}
