/** The package.json of the published package, made from the checkout's. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** The versions of the 3 line between which the tests run the packed library; a newer one of the line is taken as well. */
export const testedRange = { lowest: "3.16.0", newest: "3.22.4" } as const

interface Manifest {
  readonly [field: string]: unknown
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly dependencies: Readonly<Record<string, string>>
}

export const readManifest = (root: string): Manifest => JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest

/** The sources of the package's entries. `exports` names them for Bun in a checkout. */
export const entrySources = ({ exports }: Manifest): ReadonlyArray<string> =>
  Object.values(exports).flatMap((target) => (typeof target === "object" && target.bun !== undefined ? [target.bun] : []))

/** What a user's program needs; the checkout's other dependencies travel inside the modules. */
const published: ReadonlyArray<string> = ["snappyjs"]
/** Fields that are the checkout's alone. */
const ownFields: ReadonlyArray<string> = ["scripts", "devDependencies", "private"]

/**
 * The checkout's `bun` condition leads to the sources, which the package does not hold. Paths begin at the folder that is published.
 */
export const publishedManifest = (own: Manifest, commit: string | undefined): Manifest => {
  const exports = Object.fromEntries(
    Object.entries(own.exports).map(([path, target]) => [
      path,
      typeof target === "string" ? target : Object.fromEntries(Object.entries(target).filter(([condition]) => condition !== "bun"))
    ])
  )
  const dependencies = Object.fromEntries(Object.entries(own.dependencies).filter(([name]) => published.includes(name)))
  const kept = Object.fromEntries(Object.entries(own).filter(([field]) => !ownFields.includes(field)))
  return { ...kept, ...(commit === undefined ? {} : { gitHead: commit }), name: own.name, version: own.version, exports, dependencies }
}
