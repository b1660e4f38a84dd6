import { Data, Effect } from "effect"
import type { Disk, DiskFile, OpenMode } from "../../../../adapters/log/disk/disk.ts"
import { TraceVolume } from "./trace-volume.ts"
import { copyTree, type Tree } from "./tree.ts"

/** The error that the disk throws, with the platform's code. */
class TraceError extends Data.Error<{ readonly code: string; readonly message: string }> {}
const failed = (code: string, path: string): TraceError => new TraceError({ code, message: `${code}: ${path}` })

/** A file or a directory, by a number that a rename does not change. */
export type NodeId = number
export const rootId: NodeId = 0

/** One change of the disk, or the end of a sync: all that a power cut may undo or reorder. */
export type Op =
  | { readonly kind: "write"; readonly node: NodeId; readonly position: number; readonly bytes: Uint8Array }
  | { readonly kind: "truncate"; readonly node: NodeId; readonly size: number }
  | { readonly kind: "enter"; readonly node: NodeId; readonly name: string; readonly child: NodeId; readonly isDirectory: boolean }
  | { readonly kind: "leave"; readonly node: NodeId; readonly name: string }
  | { readonly kind: "rename"; readonly node: NodeId; readonly from: string; readonly to: string }
  /** The changes of `node` that were made before the `before`th change are durable. */
  | { readonly kind: "synced"; readonly node: NodeId; readonly before: number }
  /** A sync failed: the kernel marks those changes clean, and no later sync makes them durable. */
  | { readonly kind: "forgotten"; readonly node: NodeId; readonly before: number }

interface FileNode {
  readonly id: NodeId
  readonly kind: "file"
  bytes: Uint8Array
}
interface DirectoryNode {
  readonly id: NodeId
  readonly kind: "directory"
  readonly entries: Map<string, Node>
}
type Node = FileNode | DirectoryNode

const partsOf = (path: string): ReadonlyArray<string> => path.split("/").filter((part) => part !== "")

/** Applies a write to the bytes of a file: a gap before it reads as zeros. */
export const written = (bytes: Uint8Array, position: number, chunk: Uint8Array): Uint8Array => {
  const next = new Uint8Array(Math.max(bytes.length, position + chunk.length))
  next.set(bytes)
  next.set(chunk, position)
  return next
}
export const resized = (bytes: Uint8Array, size: number): Uint8Array => {
  const next = new Uint8Array(size)
  next.set(bytes.subarray(0, size))
  return next
}

/**
 * A disk in memory that starts from a durable tree and records every change and every sync, in order. What a power cut may leave after any of them is built
 * from the record (images.ts); the disk itself is never cut.
 */
export class TraceDisk {
  readonly ops: Array<Op> = []
  /** How many turns of the event loop a sync takes, drawn for each: it does not cover what is appended meanwhile. */
  syncTurns: () => number = () => 0
  /** Which of the following syncs of files with this path suffix fail. */
  failSync: { readonly suffix: string; left: number } | undefined
  /** Capacity in bytes: a write that exceeds it stores what fits, and fails. */
  capacityBytes = Number.POSITIVE_INFINITY

  private readonly root: DirectoryNode = { id: rootId, kind: "directory", entries: new Map() }
  private nextId = 1
  /** Files that a sync of the volume could not write: their own sync reports it once. */
  private readonly lost = new Set<NodeId>()
  /** The whole disk as one volume, for stores that share their syncs. */
  readonly volume: TraceVolume = new TraceVolume({
    changes: () => this.ops.length,
    changedIn: (from, to) => this.changedIn(from, to),
    synced: (node, before) => void this.ops.push({ kind: "synced", node, before }),
    lost: (node, before) => {
      this.lost.add(node)
      this.ops.push({ kind: "forgotten", node, before })
    },
    turns: () => this.syncTurns()
  })
  /** The durable state when the record began: the bytes of files and the entries of directories, by node. */
  readonly before = new Map<NodeId, Uint8Array | ReadonlyMap<string, NodeId>>()

  constructor(initial: Tree = new Map()) {
    this.adopt(this.root, initial)
  }

  /** The current files. */
  tree(): Tree {
    const treeOf = (node: DirectoryNode): Tree =>
      new Map([...node.entries].map(([name, child]) => [name, child.kind === "file" ? child.bytes.slice() : treeOf(child)] as const))
    return treeOf(this.root)
  }

  readonly disk: Disk = {
    open: (path, mode) => this.open(path, mode),
    list: (path) => [...this.directory(path).entries.keys()],
    exists: (path) => this.find(path) !== undefined,
    size: (path) => {
      const node = this.find(path)
      return node?.kind === "file" ? node.bytes.length : undefined
    },
    makeDirectory: (path) => this.makeDirectory(path),
    rename: (from, to) => this.rename(from, to),
    unlink: (path) => this.leave(path),
    removeDirectory: (path) => {
      if (this.directory(path).entries.size > 0) throw failed("ENOTEMPTY", path)
      this.leave(path)
    },
    space: () => undefined,
    volume: () => this.volume,
    syncDirectory: (path) => Effect.flatMap(Effect.try({ try: () => this.directory(path), catch: (error) => error }), (node) => this.sync(node, path))
  }

  private adopt(directory: DirectoryNode, tree: Tree): void {
    for (const [name, content] of tree) {
      const id = this.nextId++
      if (content instanceof Uint8Array) {
        directory.entries.set(name, { id, kind: "file", bytes: content })
        this.before.set(id, content)
      } else {
        const child: DirectoryNode = { id, kind: "directory", entries: new Map() }
        directory.entries.set(name, child)
        this.adopt(child, content)
      }
    }
    this.before.set(directory.id, new Map([...directory.entries].map(([name, { id }]) => [name, id])))
  }

  private open(path: string, mode: OpenMode): DiskFile {
    const [parent, name] = this.parentOf(path)
    let node = parent.entries.get(name)
    if (node === undefined && (mode === "create" || mode === "note")) {
      node = { id: this.nextId++, kind: "file", bytes: new Uint8Array(0) }
      parent.entries.set(name, node)
      this.ops.push({ kind: "enter", node: parent.id, name, child: node.id, isDirectory: false })
    }
    if (node === undefined) throw failed("ENOENT", path)
    if (node.kind !== "file") throw failed("EISDIR", path)
    return this.handle(path, node)
  }

  private handle(path: string, node: FileNode): DiskFile {
    return {
      path,
      write: (chunks, position) => {
        let at = position
        const size = chunks.reduce((sum, { length }) => sum + length, 0)
        const all = new Uint8Array(size)
        for (const chunk of chunks) {
          all.set(chunk, at - position)
          at += chunk.length
        }
        const room = Math.max(0, this.capacityBytes - this.usedBytes() + Math.max(0, node.bytes.length - position))
        const bytes = all.subarray(0, room)
        node.bytes = written(node.bytes, position, bytes)
        if (bytes.length > 0) this.ops.push({ kind: "write", node: node.id, position, bytes })
        if (bytes.length < size) throw failed("ENOSPC", path)
      },
      read: (into, position) => {
        const bytes = node.bytes.subarray(position, position + into.length)
        into.set(bytes)
        return bytes.length
      },
      size: () => node.bytes.length,
      truncate: (size) => {
        if (size === node.bytes.length) return
        node.bytes = resized(node.bytes, size)
        this.ops.push({ kind: "truncate", node: node.id, size })
      },
      sync: Effect.suspend(() => this.sync(node, path)),
      syncNow: () => this.settle(node, path, this.ops.length),
      close: () => undefined
    }
  }

  private sync(node: Node, path: string): Effect.Effect<void, unknown> {
    return Effect.gen(this, function* () {
      const before = this.ops.length
      for (let turns = this.syncTurns(); turns > 0; turns--) yield* Effect.yieldNow()
      yield* Effect.try({ try: () => this.settle(node, path, before), catch: (error) => error })
    })
  }

  private changedIn(from: number, to: number): ReadonlyMap<NodeId, string> {
    const paths = new Map<NodeId, string>([[rootId, ""]])
    const walk = (directory: DirectoryNode, path: string): void => {
      for (const [name, child] of directory.entries) {
        paths.set(child.id, `${path}/${name}`)
        if (child.kind === "directory") walk(child, `${path}/${name}`)
      }
    }
    walk(this.root, "")
    const changes = this.ops.slice(from, to).filter(({ kind }) => kind !== "synced" && kind !== "forgotten")
    return new Map(changes.flatMap(({ node }) => (paths.has(node) ? [[node, paths.get(node) ?? ""] as const] : [])))
  }

  private settle(node: Node, path: string, before: number): void {
    if (this.lost.delete(node.id)) throw failed("EIO", path)
    const fault = this.failSync
    if (fault !== undefined && fault.left > 0 && path.endsWith(fault.suffix)) {
      fault.left--
      this.ops.push({ kind: "forgotten", node: node.id, before })
      throw failed("EIO", path)
    }
    this.ops.push({ kind: "synced", node: node.id, before })
  }

  private makeDirectory(path: string): void {
    let at = this.root
    for (const name of partsOf(path)) {
      let next = at.entries.get(name)
      if (next === undefined) {
        next = { id: this.nextId++, kind: "directory", entries: new Map() }
        at.entries.set(name, next)
        this.ops.push({ kind: "enter", node: at.id, name, child: next.id, isDirectory: true })
      }
      if (next.kind !== "directory") throw failed("ENOTDIR", path)
      at = next
    }
  }
  private rename(from: string, to: string): void {
    const [parent, oldName] = this.parentOf(from)
    const [newParent, newName] = this.parentOf(to)
    const node = parent.entries.get(oldName)
    if (node === undefined || parent !== newParent) throw failed(node === undefined ? "ENOENT" : "EXDEV", from)
    parent.entries.delete(oldName)
    parent.entries.set(newName, node)
    this.ops.push({ kind: "rename", node: parent.id, from: oldName, to: newName })
  }
  private leave(path: string): void {
    const [parent, name] = this.parentOf(path)
    if (!parent.entries.delete(name)) throw failed("ENOENT", path)
    this.ops.push({ kind: "leave", node: parent.id, name })
  }

  private usedBytes(of: Node = this.root): number {
    return of.kind === "file" ? of.bytes.length : [...of.entries.values()].reduce((sum, node) => sum + this.usedBytes(node), 0)
  }
  private find(path: string): Node | undefined {
    let at: Node | undefined = this.root
    for (const name of partsOf(path)) at = at?.kind === "directory" ? at.entries.get(name) : undefined
    return at
  }
  private directory(path: string): DirectoryNode {
    const node = this.find(path)
    if (node?.kind !== "directory") throw failed(node === undefined ? "ENOENT" : "ENOTDIR", path)
    return node
  }
  private parentOf(path: string): readonly [DirectoryNode, string] {
    const parts = partsOf(path)
    return [this.directory(parts.slice(0, -1).join("/")), parts.at(-1) ?? ""]
  }
}

/** A disk over a tree of its own, for one recovery. */
export const diskOver = (tree: Tree): TraceDisk => new TraceDisk(copyTree(tree))
