/** A user's project: an empty folder into which npm installs the packed file. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { testedRange } from "./manifest.ts"
import { otherEffect, runnerPackages, vitestOfNode20 } from "./tools.ts"

/** What ran: its exit code, and both outputs. */
interface Ended {
  readonly code: number
  readonly text: string
}

/** A part of the matrix ends with this. */
export class Mismatch extends Error {}

/** Runs a program to its end, within a bound that ends a hang: a slow network or a busy machine is no verdict. */
export const ended = async (
  command: ReadonlyArray<string>,
  { cwd, env = {}, withinMs = 600_000 }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly withinMs?: number }
): Promise<Ended> => {
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: withinMs,
    killSignal: "SIGKILL"
  })
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited])
  return { code, text: `${stdout}${stderr}${child.signalCode === null ? "" : `(ended by ${child.signalCode}; its bound is ${withinMs} ms)`}` }
}

/** Runs a program that must end with 0; its outputs. */
export const ran = async (command: ReadonlyArray<string>, options: Parameters<typeof ended>[1]): Promise<string> => {
  const { code, text } = await ended(command, options)
  if (code !== 0) throw new Mismatch(`${command.join(" ")} ended with ${code}\n${text}`)
  return text
}

export type ProjectName = "newest" | "lowest" | "other" | "without-addons"
/** What each project installs beside the package, and npm's options for it. */
const contents: Readonly<Record<ProjectName, ReadonlyArray<string>>> = {
  newest: [`effect@${testedRange.newest}`, ...runnerPackages],
  lowest: [`effect@${testedRange.lowest}`, vitestOfNode20],
  // npm refuses the other line unless it is forced; bun and pnpm warn.
  other: [`effect@${otherEffect}`, "--force"],
  "without-addons": [`effect@${testedRange.newest}`, "--omit=optional"]
}

/** Packs the folder that is published into another one; the path of the file. */
export const pack = async (published: string, into: string): Promise<string> =>
  join(into, (await ran(["npm", "pack", "--silent", "--pack-destination", into], { cwd: published })).trim())

export class Projects {
  private readonly made = new Map<ProjectName, Promise<string>>()
  private constructor(
    private readonly root: string,
    readonly directory: string,
    readonly tarball: string
  ) {}

  /** Makes the directory of the projects that install a packed file. */
  static of(root: string, tarball: string): Projects {
    return new Projects(root, mkdtempSync(join(tmpdir(), "franz-package-")), tarball)
  }

  /** The folder of a project. It is installed when the first part asks for it. */
  at(name: ProjectName): Promise<string> {
    const known = this.made.get(name)
    if (known !== undefined) return known
    const making = this.install(name)
    this.made.set(name, making)
    return making
  }

  private async install(name: ProjectName): Promise<string> {
    const at = join(this.directory, name)
    mkdirSync(at)
    writeFileSync(join(at, "package.json"), '{ "private": true, "type": "module" }')
    await ran(["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", this.tarball, ...contents[name]], { cwd: at })
    const programs = join(this.root, "test/interop/data/package")
    for (const file of ["round-trip.mjs", "suite.mjs", "zstd.mjs", "promises.mjs", "send-zstd.mjs", "open-cluster.mjs"])
      cpSync(join(programs, file), join(at, file))
    for (const file of ["typed.ts", "typed-run.ts", "exported.ts"]) cpSync(join(programs, `${file}.txt`), join(at, file))
    return at
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
