/** The runtimes and tools of the matrix, as npm packages of exact versions in the cache of the interop tests. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { testedRange } from "./manifest.ts"

/** A newest version of each line. The first is the lowest that `engines` names. */
const nodeVersions = { "20": "20.20.2", "22": "22.23.3", "24": "24.21.0" } as const
type NodeLine = keyof typeof nodeVersions
export const nodeLines = Object.keys(nodeVersions) as ReadonlyArray<NodeLine>

export const typescriptVersions = { "5.4": "5.4.5", "5.9": "5.9.3", newest: "7.0.2" } as const
/** The line that `npm install effect` brings, for the sentence about it. */
export const otherEffect = "4.1.0"

const packages: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(nodeVersions).map(([line, version]) => [`node-${line}`, `npm:node@${version}`])),
  ...Object.fromEntries(Object.entries(typescriptVersions).map(([line, version]) => [`typescript-${line}`, `npm:typescript@${version}`])),
  publint: "0.3.25",
  "@arethetypeswrong/cli": "0.18.5"
}
/** What is installed into the projects: the runners look for a test's packages beside it. */
export const runnerPackages: ReadonlyArray<string> = ["vitest@5.1.2", "tsx@4.23.15", "@types/node@22.19.1"]

/** The last line of vitest that runs on Node 20. A project has one vitest: it finds its own packages by name. */
export const vitestOfNode20 = "vitest@4.1.12"

const directory = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "franz-interop", "package")
const manifest = `${JSON.stringify({ private: true, dependencies: packages }, undefined, 2)}\n`
const wanted = JSON.stringify({ packages, runnerPackages, vitestOfNode20, testedRange, otherEffect })
/** One for each set of versions: checkouts of several versions share the cache. */
const stamp = join(directory, `installed-${Bun.hash(wanted).toString(36)}.json`)

export const toolsAreThere = (): boolean => existsSync(stamp)

/** A file of a tool's package. */
export const toolFile = (name: string, ...path: ReadonlyArray<string>): string => join(directory, "node_modules", name, ...path)
export const nodeOf = (line: NodeLine): string => toolFile(`node-${line}`, "bin", "node")

/** Runs a command; throws what it printed if it fails. */
const done = (command: string, args: ReadonlyArray<string>): void => {
  const ran = spawnSync(command, args, { cwd: directory, encoding: "utf8", maxBuffer: 1 << 26 })
  if (ran.status !== 0)
    throw new Error(`${command} ${args.join(" ")} ended with ${ran.status ?? ran.signal ?? ran.error}\n${ran.stdout ?? ""}${ran.stderr ?? ""}`)
}

/** Installs the tools, and puts what the projects need into npm's cache. */
export const bringTools = (): void => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, "package.json"), manifest)
  done("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", "--no-package-lock"])
  for (const name of [...runnerPackages, vitestOfNode20, `effect@${testedRange.lowest}`, `effect@${testedRange.newest}`, `effect@${otherEffect}`])
    done("npm", ["cache", "add", name])
  writeFileSync(stamp, wanted)
}

// The step of the test command that brings them.
if (import.meta.main) bringTools()
