import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { partsOf } from "../../scripts/package/parts.ts"
import { Projects } from "../../scripts/package/project.ts"
import { toolsAreThere } from "../../scripts/package/tools.ts"
import { packedLibrary } from "./support/packed-library.ts"
import { root, run, temporaryDirectory } from "./support/process.ts"

/**
 * The package as npm packs it, installed into empty folders: what a user gets, without the checkout around it. `./franz package --matrix` prints the same parts as a table.
 * The tools come before the tests (`./franz test`, scripts/test/peers.ts).
 */
const isRequired = process.env.FRANZ_REQUIRE_PEERS !== undefined
const isMissing = !isRequired && (Bun.which("npm") === null || !toolsAreThere())
let projects: Projects

beforeAll(async () => {
  if (isMissing) return
  if (!toolsAreThere()) throw new Error("Node 20, 22 and 24 and the tools of the package's tests are missing: run bun scripts/package/tools.ts")
  projects = Projects.of(root, await packedLibrary())
}, 300_000)
afterAll(() => projects?.remove())

describe.skipIf(isMissing)("the packed library", () => {
  for (const part of partsOf(root).filter(({ isInSuite }) => isInSuite !== false)) test(`${part.group}: ${part.name}`, () => part.run(projects), 240_000)

  test("npm pack in the checkout gives the same package, and leaves package.json as it was", async () => {
    const own = readFileSync(join(root, "package.json"), "utf8")
    const away = temporaryDirectory()
    const packed = await run("npm", ["pack", "--json", "--pack-destination", away.path], { cwd: root, env: { npm_config_loglevel: "error" } })
    expect(readFileSync(join(root, "package.json"), "utf8")).toBe(own)
    const [{ filename }] = JSON.parse(packed.slice(packed.indexOf("["))) as [{ filename: string }]
    const filesOf = async (tarball: string) => (await run("tar", ["-tzf", tarball])).trim().split("\n").sort()
    expect(await filesOf(join(away.path, filename))).toEqual(await filesOf(projects.tarball))
    const manifest = JSON.parse(await run("tar", ["-xzOf", join(away.path, filename), "package/package.json"])) as Record<string, unknown>
    const published = JSON.parse(readFileSync(join(root, "dist/package/package.json"), "utf8")) as Record<string, unknown>
    expect({ ...manifest, scripts: undefined }).toEqual({ ...published, scripts: undefined })
    away.remove()
  }, 240_000)
})
