import { join } from "node:path"
import { pack } from "../../../scripts/package/project.ts"
import { root, run } from "./process.ts"

let packed: Promise<string> | undefined
const build = async (): Promise<string> => {
  await run(process.execPath, ["scripts/package.ts"])
  return pack(join(root, "dist/package"), join(root, "dist"))
}

/** The file that npm packs, in `dist`: built once for all test files of a process. */
export const packedLibrary = (): Promise<string> => (packed ??= build())
