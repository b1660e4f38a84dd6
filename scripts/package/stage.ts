/** The folder that is published, dist/package: what the build wrote, the manifest, README and LICENSE. */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { publishedManifest, readManifest } from "./manifest.ts"

const manifestOf = (root: string): string => {
  const commit = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root, encoding: "utf8" })
  return `${JSON.stringify(publishedManifest(readManifest(root), commit.status === 0 ? commit.stdout.trim() : undefined), undefined, 2)}\n`
}

export const stage = (root: string, lib: string): string => {
  const to = join(root, "dist/package")
  rmSync(to, { recursive: true, force: true })
  mkdirSync(join(to, "dist"), { recursive: true })
  cpSync(lib, join(to, "dist/lib"), { recursive: true })
  for (const name of ["README.md", "LICENSE"]) cpSync(join(root, name), join(to, name))
  writeFileSync(join(to, "package.json"), manifestOf(root))
  return to
}

const savedAt = (root: string): string => join(root, "dist/package.json.checkout")

/** Gives the checkout its own package.json again, also after an `npm pack` that was killed. */
export const restoreManifest = (root: string): void => {
  if (existsSync(savedAt(root))) renameSync(savedAt(root), join(root, "package.json"))
}

/**
 * For `npm pack` in the checkout, which packs the package.json that it finds: puts the published one in its place. `postpack` restores it.
 */
export const swapManifest = (root: string): void => {
  const published = JSON.parse(manifestOf(root)) as Record<string, unknown>
  const own = readFileSync(join(root, "package.json"), "utf8")
  const { scripts } = JSON.parse(own) as { readonly scripts: Readonly<Record<string, string>> }
  writeFileSync(savedAt(root), own)
  // A later `npm pack` restores it too.
  const hooks = { prepack: scripts.prepack, postpack: scripts.postpack }
  writeFileSync(join(root, "package.json"), `${JSON.stringify({ ...published, scripts: hooks }, undefined, 2)}\n`)
}
