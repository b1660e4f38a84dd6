import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { testedRange } from "../../scripts/package/manifest.ts"
import { otherEffect, runnerPackages, typescriptVersions, vitestOfNode20 } from "../../scripts/package/tools.ts"
import { rooms } from "../../scripts/tidy/source.ts"

const root = join(import.meta.dir, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const listed = (directory: string) => readdirSync(join(root, directory), { recursive: true, encoding: "utf8" }).map((path) => `/${directory}/${path}`)
const decisions = readdirSync(join(root, "docs/decisions"))
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
  ...decisions.map((name) => `docs/decisions/${name}`),
  ...readdirSync(join(root, "docs/guides")).map((name) => `docs/guides/${name}`)
]

describe("the documents", () => {
  test("docs/clients.md names the versions of the package's matrix", () => {
    const table = read("docs/clients.md").split("## What the package is tested with")[1] ?? ""
    const runners = [vitestOfNode20, ...runnerPackages].filter((name) => !name.startsWith("@types/")).map((name) => name.slice(name.lastIndexOf("@") + 1))
    const nodes = [...(/nodeVersions = \{(.*)\}/.exec(read("scripts/package/tools.ts"))?.[1] ?? "").matchAll(/\d+\.\d+\.\d+/g)].map(([version]) => version)
    expect(nodes.length).toBe(3)
    const versions = [...nodes, ...runners, ...Object.values(typescriptVersions), testedRange.lowest, testedRange.newest, otherEffect]
    expect(versions.filter((version) => !table.includes(version))).toEqual([])
  })

  test.each(["docs/architecture.md", "CONTRIBUTING.md"])("%s names only files and directories that exist", (document) => {
    const paths = rooms.flatMap(listed)
    const named = [...read(document).matchAll(/`([\w@.-]+(?:\/[\w@.-]+)+\/?|[\w-]+\.ts)`/g)].map(([, path]) => path as string)
    const sources = named.filter((path) => path.endsWith(".ts") || rooms.some((room) => path.startsWith(`${room}/`)))
    expect(sources.length).toBeGreaterThan(20)
    expect(sources.filter((path) => !paths.some((there) => there.endsWith(`/${path.replace(/\/$/, "")}`)))).toEqual([])
  })
  test("links lead to files that exist", () => {
    const broken = documents.flatMap((document) => {
      const links = [...read(document).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link]) => join(dirname(document), link as string))
      return links
        .filter((link) => readdirSync(join(root, dirname(link))).every((name) => name !== link.split("/").at(-1)))
        .map((link) => `${document}: ${link}`)
    })
    expect(broken).toEqual([])
  })
  test("each decision has a number of its own", () => {
    const numbers = decisions.map((name) => name.slice(0, 4))
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([])
  })
})
