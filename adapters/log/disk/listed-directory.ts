import { codeOf, type Disk } from "./disk.ts"

/**
 * A disk that lists one directory once, for as long as a log is opened from it: opening asks a dozen times which files there are, and of ten thousand logs each asks. What is made,
 * renamed and removed through it is followed; no other code changes the directory meanwhile. After `forget` it is the plain disk.
 */
export class ListedDirectory {
  private names: Set<string> | undefined
  private isListed = false
  readonly disk: Disk

  constructor(
    private readonly under: Disk,
    private readonly directory: string
  ) {
    this.disk = {
      ...under,
      open: (path, mode) => {
        const file = under.open(path, mode)
        if (mode === "create") this.changed(path, true)
        return file
      },
      list: (path) => (path === directory && this.listed !== undefined ? [...this.listed] : under.list(path)),
      exists: (path) => {
        if (path === directory) return this.listed !== undefined || under.exists(path)
        const name = this.nameOf(path)
        return name === undefined || this.listed === undefined ? under.exists(path) : this.listed.has(name)
      },
      rename: (from, to) => {
        under.rename(from, to)
        this.changed(from, false)
        this.changed(to, true)
      },
      unlink: (path) => {
        under.unlink(path)
        this.changed(path, false)
      }
    }
  }

  /** The names in the directory; undefined where they are not known, or it is not there. */
  private get listed(): ReadonlySet<string> | undefined {
    if (this.isListed) return this.names
    this.isListed = true
    try {
      this.names = new Set(this.under.list(this.directory))
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error
    }
    return this.names
  }

  forget(): void {
    this.isListed = true
    this.names = undefined
  }

  private nameOf(path: string): string | undefined {
    const at = this.directory.length
    return path.length > at && path.startsWith(this.directory) && path[at] === "/" ? path.slice(at + 1) : undefined
  }
  private changed(path: string, isThere: boolean): void {
    const name = this.nameOf(path)
    if (name === undefined) return
    if (isThere) this.names?.add(name)
    else this.names?.delete(name)
  }
}
