import { Data, Effect } from "effect"
import type { Disk, DiskFile, OpenMode } from "../disk/disk.ts"
import { type Change, DirectoryNode, FileNode, type Node } from "./memory-node.ts"

/** What the disk throws, with the platform's code: "ENOENT", "ENOSPC", "EROFS", "EIO". */
export class DiskError extends Data.Error<{ readonly code: string; readonly message: string }> {}
const failed = (code: string, path: string): DiskError => new DiskError({ code, message: `${code}: ${path}` })

/** Answers a whole number from 0 up to, and without, `bound`. All chance of a crash comes from it. */
export type Pick = (bound: number) => number

/**
 * A disk in memory that loses power. It lives as long as the test holds it, however often stores are opened over it and closed.
 * What was written is readable at once and survives a crash after its sync alone; a name survives after its directory's sync alone.
 */
export class MemoryDisk {
  /** Bytes that all files may have together; a write over it takes what fits and fails with ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY
  /** Every change fails with EROFS. */
  isReadOnly = false
  /** How long a sync takes, ms of Effect's Clock. */
  syncDelayMs = 0
  /** Syncs succeed and make nothing durable, as those of a disk with a volatile cache. */
  syncsLie = false
  /** Who holds the disk: set and cleared by the layer, cleared by a crash. */
  holder: { readonly name: string } | undefined
  /** Syncs of files so far: a test of group commit counts them. */
  syncCount = 0

  private root = new DirectoryNode()
  private order = 0
  private powered = 0
  /** Bytes that all files have together. */
  usedBytes = 0
  private syncsToFail = 0
  private powerCut: { changesLeft: number; readonly pick: Pick } | undefined

  /**
   * The next `count` syncs of files fail with EIO. As Linux does it, what they would have made durable then counts as clean: no later sync writes it, unless it
   * is written again.
   */
  failSyncs(count: number): void {
    this.syncsToFail = count
  }

  /** The power goes with the `changes`th change of a file or a directory from now on, in the middle of whatever the store does then. */
  crashAfter(changes: number, pick: Pick): void {
    this.powerCut = { changesLeft: changes, pick }
  }

  /**
   * Cuts the power. Of the changes that were not synced, in the order in which they were made, a prefix survives, and of the write that follows it perhaps a
   * part. What was opened before fails for ever with EIO; the next store that opens the disk finds what survived.
   */
  crash(pick: Pick): void {
    const nodes = this.reachable()
    const changes = nodes.flatMap((node) => node.pending).sort((a, b) => a.order - b.order)
    const survive = pick(changes.length + 1)
    for (const change of changes.slice(0, survive)) change.settle()
    const torn = changes[survive]
    if (torn !== undefined && torn.size > 0) torn.settle(pick(torn.size + 1))
    this.powered++
    this.powerCut = undefined
    this.holder = undefined
    this.usedBytes = 0
    for (const node of nodes) {
      node.pending = []
      if (node.kind === "file") node.current.replace(node.durable.view)
      else {
        node.current.clear()
        for (const [name, child] of node.durable) node.current.set(name, child)
      }
    }
    for (const node of this.reachable()) if (node.kind === "file") this.usedBytes += node.current.size
  }

  /** The disk for one store: it is of no use any more once the power was cut. */
  session(): Disk {
    const powered = this.powered
    const live = <A>(path: string, run: () => A): A => {
      if (powered !== this.powered) throw failed("EIO", `${path}: the power was cut`)
      return run()
    }
    return {
      open: (path, mode) => live(path, () => this.open(path, mode)),
      list: (path) => live(path, () => this.list(path)),
      exists: (path) => live(path, () => this.exists(path)),
      size: (path) => live(path, () => this.size(path)),
      makeDirectory: (path) => live(path, () => this.makeDirectory(path)),
      rename: (from, to) => live(from, () => this.rename(from, to)),
      unlink: (path) => live(path, () => this.unlink(path)),
      removeDirectory: (path) => live(path, () => this.removeDirectory(path)),
      space: (path) => live(path, () => this.space()),
      syncDirectory: (path) =>
        Effect.try({ try: () => live(path, () => this.directory(path)), catch: (error) => error }).pipe(Effect.flatMap((node) => this.settle(node, path)))
    }
  }

  /** Another disk with the files as they are now, all durable, held by no store: what the end of a process leaves, without that of the power. */
  copy(): MemoryDisk {
    const other = new MemoryDisk()
    const copyInto = (from: DirectoryNode, to: DirectoryNode): void => {
      for (const [name, node] of from.current) {
        const twin = node.kind === "file" ? new FileNode() : new DirectoryNode()
        to.current.set(name, twin)
        to.durable.set(name, twin)
        if (node.kind === "directory" && twin.kind === "directory") copyInto(node, twin)
        else if (node.kind === "file" && twin.kind === "file") {
          twin.current.replace(node.current.view)
          twin.durable.replace(node.current.view)
          other.usedBytes += node.current.size
        }
      }
    }
    copyInto(this.root, other.root)
    return other
  }

  /** The bytes of a file as they are now, a copy: for tests that look. */
  contents(path: string): Uint8Array {
    return this.file(path).current.view.slice()
  }
  /** The files of a directory and their contents, as views: as they are now, or as a power cut leaves them at least. Empty where there is no such directory. */
  filesIn(path: string, state: "current" | "durable"): ReadonlyMap<string, Uint8Array> {
    let at: Node | undefined = this.root
    for (const name of partsOf(path)) at = at?.kind === "directory" ? at[state].get(name) : undefined
    if (at?.kind !== "directory") return new Map()
    return new Map([...at[state]].flatMap(([name, node]) => (node.kind === "file" ? [[name, node[state].view] as const] : [])))
  }
  /** Puts `bytes` into a file, durably: for tests that damage one. */
  overwrite(path: string, bytes: Uint8Array): void {
    const node = this.file(path)
    node.pending = []
    node.current.replace(bytes)
    node.durable.replace(bytes)
  }

  private space(): ReturnType<Disk["space"]> {
    return Number.isFinite(this.capacityBytes) ? { totalBytes: this.capacityBytes, usableBytes: Math.max(0, this.capacityBytes - this.usedBytes) } : undefined
  }
  private open(path: string, mode: OpenMode): DiskFile {
    const [parent, name] = this.parentOf(path)
    let node = parent.current.get(name)
    if (node === undefined && (mode === "create" || mode === "note")) {
      this.mayChange(path)
      node = new FileNode()
      this.enter(parent, name, node)
    }
    if (node === undefined) throw failed("ENOENT", path)
    if (node.kind !== "file") throw failed("EISDIR", path)
    if (mode !== "read") this.mayChange(path)
    return this.handle(path, node)
  }
  private list(path: string): ReadonlyArray<string> {
    return [...this.directory(path).current.keys()]
  }
  private exists(path: string): boolean {
    return this.find(path) !== undefined
  }
  private size(path: string): number | undefined {
    const node = this.find(path)
    return node?.kind === "file" ? node.current.size : undefined
  }
  private makeDirectory(path: string): void {
    let at = this.root
    for (const name of partsOf(path)) {
      let next = at.current.get(name)
      if (next === undefined) {
        this.mayChange(path)
        next = new DirectoryNode()
        this.enter(at, name, next)
      }
      if (next.kind !== "directory") throw failed("ENOTDIR", path)
      at = next
    }
  }
  private rename(from: string, to: string): void {
    this.mayChange(from)
    const [oldParent, oldName] = this.parentOf(from)
    const [newParent, newName] = this.parentOf(to)
    const node = oldParent.current.get(oldName)
    if (node === undefined) throw failed("ENOENT", from)
    if (oldParent !== newParent) throw failed("EXDEV", from)
    oldParent.current.delete(oldName)
    oldParent.current.set(newName, node)
    this.note(oldParent, 0, () => {
      oldParent.durable.delete(oldName)
      oldParent.durable.set(newName, node)
    })
  }
  unlink(path: string): void {
    this.mayChange(path)
    const [parent, name] = this.parentOf(path)
    this.usedBytes -= this.file(path).current.size
    parent.current.delete(name)
    this.note(parent, 0, () => void parent.durable.delete(name))
  }
  private removeDirectory(path: string): void {
    this.mayChange(path)
    const [parent, name] = this.parentOf(path)
    if (this.directory(path).current.size > 0) throw failed("ENOTEMPTY", path)
    parent.current.delete(name)
    this.note(parent, 0, () => void parent.durable.delete(name))
  }

  private handle(path: string, node: FileNode): DiskFile {
    const powered = this.powered
    const live = (): void => {
      if (powered !== this.powered) throw failed("EIO", `${path} was open when the power went`)
    }
    return {
      path,
      write: (chunks, position) => {
        live()
        this.mayChange(path)
        let at = position
        for (const chunk of chunks) at += this.write(path, node, chunk, at)
      },
      read: (into, position) => {
        live()
        const bytes = node.current.view.subarray(position, position + into.length)
        into.set(bytes)
        return bytes.length
      },
      size: () => node.current.size,
      truncate: (size) => {
        live()
        this.mayChange(path)
        this.usedBytes += size - node.current.size
        node.current.truncate(size)
        this.note(node, 0, () => node.durable.truncate(size))
      },
      sync: Effect.suspend(() => {
        if (powered !== this.powered) return Effect.fail(failed("EIO", `${path} was open when the power went`))
        this.syncCount++
        if (this.syncsToFail === 0) return this.settle(node, path)
        this.syncsToFail--
        node.pending = []
        return Effect.fail(failed("EIO", path))
      }),
      syncThen: (done) => {
        // A slow sync waits by the clock of the fiber that runs `sync`.
        if (this.syncDelayMs > 0) return false
        let error: unknown
        try {
          live()
          this.syncNode(node, path)
        } catch (cause) {
          error = cause
        }
        queueMicrotask(() => done(error))
        return true
      },
      syncNow: () => {
        if (powered !== this.powered) throw failed("EIO", `${path} was open when the power went`)
        this.syncNode(node, path)
      },
      close: () => undefined
    }
  }

  /** Makes all changes of a file durable at once, or fails as `failSyncs` says. */
  private syncNode(node: FileNode, path: string): void {
    this.syncCount++
    if (this.syncsToFail > 0) {
      this.syncsToFail--
      node.pending = []
      throw failed("EIO", path)
    }
    if (this.syncsLie) return
    for (const change of node.pending) change.settle()
    node.pending = []
  }

  private write(path: string, node: FileNode, chunk: Uint8Array, position: number): number {
    const room = this.capacityBytes - this.usedBytes + Math.max(0, node.current.size - position)
    const bytes = chunk.slice(0, Math.max(0, room))
    const before = node.current.size
    node.current.write(bytes, position)
    this.usedBytes += node.current.size - before
    this.note(node, bytes.length, (count = bytes.length) => node.durable.write(bytes.subarray(0, count), position))
    if (bytes.length < chunk.length) throw failed("ENOSPC", path)
    return chunk.length
  }

  /** Makes durable what was changed before now. It counts from the start of a slow sync: what is written meanwhile waits for the next one. */
  private settle(node: Node, path: string): Effect.Effect<void, unknown> {
    const powered = this.powered
    const before = this.order
    const finish = Effect.suspend(() => {
      if (powered !== this.powered) return Effect.fail(failed("EIO", path))
      if (this.syncsLie) return Effect.void
      for (const change of node.pending) if (change.order < before) change.settle()
      node.pending = node.pending.filter((change) => change.order >= before)
      return Effect.void
    })
    return this.syncDelayMs > 0 ? Effect.delay(finish, this.syncDelayMs) : finish
  }

  private note(node: Node, size: number, settle: Change["settle"]): void {
    node.pending.push({ order: this.order++, settle, size })
    if (this.powerCut === undefined || --this.powerCut.changesLeft > 0) return
    this.crash(this.powerCut.pick)
    throw failed("EIO", "the power was cut")
  }
  private enter(parent: DirectoryNode, name: string, node: Node): void {
    parent.current.set(name, node)
    this.note(parent, 0, () => void parent.durable.set(name, node))
  }
  private mayChange(path: string): void {
    if (this.isReadOnly) throw failed("EROFS", path)
  }
  private find(path: string): Node | undefined {
    let at: Node | undefined = this.root
    for (const name of partsOf(path)) at = at?.kind === "directory" ? at.current.get(name) : undefined
    return at
  }
  private directory(path: string): DirectoryNode {
    const node = this.find(path)
    if (node?.kind !== "directory") throw failed(node === undefined ? "ENOENT" : "ENOTDIR", path)
    return node
  }
  private file(path: string): FileNode {
    const node = this.find(path)
    if (node?.kind !== "file") throw failed(node === undefined ? "ENOENT" : "EISDIR", path)
    return node
  }
  private parentOf(path: string): readonly [DirectoryNode, string] {
    const parts = partsOf(path)
    return [this.directory(parts.slice(0, -1).join("/")), parts.at(-1) ?? ""]
  }
  /** Every node that is there now or would be after a crash: a file that was removed may reappear. */
  private reachable(): ReadonlyArray<Node> {
    const seen = new Set<Node>([this.root])
    for (const node of seen) if (node.kind === "directory") for (const child of [...node.current.values(), ...node.durable.values()]) seen.add(child)
    return [...seen]
  }
}

const partsOf = (path: string): ReadonlyArray<string> => path.split("/").filter((part) => part !== "")
