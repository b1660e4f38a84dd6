import { spawnSync } from "node:child_process"
import { mkdirSync, rmSync, statfsSync } from "node:fs"
import { join } from "node:path"
import { leaves } from "../bench/cleanup.ts"

const sizeMiB = 256

const run = (command: string, ...args: ReadonlyArray<string>): boolean => spawnSync(command, args, { stdio: "ignore" }).status === 0

/** A disk of 256 MiB in memory (tmpfs), which can be filled. Only root can mount it. */
export class SmallDisk {
  private constructor(
    private readonly path: string,
    readonly unmount: () => void
  ) {}

  /** Mounts the disk at a directory, until this process ends. Undefined where that is not allowed. */
  static mount(path: string): SmallDisk | undefined {
    mkdirSync(path, { recursive: true })
    if (!run("mount", "-t", "tmpfs", "-o", `size=${sizeMiB}m`, "franz-torture", path)) return undefined
    return new SmallDisk(
      path,
      leaves(() => void run("umount", "-l", path))
    )
  }
  /** Takes every free byte. */
  fill(): void {
    const { bavail, bsize } = statfsSync(this.path)
    run("fallocate", "-l", String(Number(bavail) * Number(bsize)), this.ballast)
    // What a file that is being written has in hand.
    run("sh", "-c", `cat /dev/zero >> '${this.ballast}'`)
  }
  free(): void {
    rmSync(this.ballast, { force: true })
  }
  private get ballast(): string {
    return join(this.path, "ballast")
  }
}
