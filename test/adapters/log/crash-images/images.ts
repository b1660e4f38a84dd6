import type { Choices } from "./choices.ts"
import { type NodeId, type Op, resized, rootId, type TraceDisk, written } from "./trace-disk.ts"
import type { Tree } from "./tree.ts"

/** Sizes in bytes of the blocks that a disk writes atomically. */
const blockSizes = [512, 4096] as const

interface Pending<O extends Op> {
  readonly op: O
  isDurable: boolean
  isForgotten: boolean
}
type FileOp = Extract<Op, { kind: "write" | "truncate" }>
type NameOp = Extract<Op, { kind: "enter" | "leave" | "rename" }>

interface History {
  readonly files: Map<NodeId, Array<Pending<FileOp>>>
  readonly names: Map<NodeId, Array<Pending<NameOp>>>
  readonly directories: Set<NodeId>
}

/** The changes of each node among the first `count`, and which of them are durable. */
const historyOf = (trace: TraceDisk, count: number): History => {
  const files = new Map<NodeId, Array<Pending<FileOp>>>()
  const names = new Map<NodeId, Array<Pending<NameOp>>>()
  const directories = new Set<NodeId>()
  const places = new Map<Pending<Op>, number>()
  const add = <O extends Op>(to: Map<NodeId, Array<Pending<O>>>, op: O, index: number): void => {
    const entry = { op, isDurable: false, isForgotten: false }
    places.set(entry, index)
    const known = to.get(op.node)
    if (known === undefined) to.set(op.node, [entry])
    else known.push(entry)
  }
  for (const [id, content] of trace.before) if (!(content instanceof Uint8Array)) directories.add(id)
  for (let index = 0; index < count; index++) {
    const op = trace.ops[index] as Op
    if (op.kind === "write" || op.kind === "truncate") add(files, op, index)
    else if (op.kind === "enter" || op.kind === "leave" || op.kind === "rename") add(names, op, index)
    else
      for (const entry of [...(files.get(op.node) ?? []), ...(names.get(op.node) ?? [])]) {
        if ((places.get(entry) as number) >= op.before || entry.isDurable || entry.isForgotten) continue
        if (op.kind === "synced") entry.isDurable = true
        else entry.isForgotten = true
      }
    if (op.kind === "enter" && op.isDirectory) directories.add(op.child)
  }
  return { files, names, directories }
}

/**
 * What a power cut leaves of a file: each block in its state after any change since the last durable one, independent of its neighbours, and a size
 * that the file had since then, or a block's end between two of them. Bytes within the size that no block wrote read as zeros.
 */
const fileImage = (before: Uint8Array, ops: ReadonlyArray<Pending<FileOp>>, choices: Choices): Uint8Array => {
  const lastDurable = ops.findLastIndex(({ isDurable }) => isDurable)
  if (lastDurable === ops.length - 1 && ops.every(({ isForgotten }) => !isForgotten)) return ops.reduce((bytes, { op }) => after(bytes, op), before)
  const states = [before]
  for (const { op } of ops) states.push(after(states.at(-1) as Uint8Array, op))
  const block = blockSizes[choices.of(blockSizes.length)] as number
  const size = sizeImage(states, lastDurable + 1, block, choices)
  // A size after a cut says that the cut is durable: no byte after it reappears.
  const cut = ops.findLastIndex(({ op }, i) => op.kind === "truncate" && i < size.state)
  const cutOp = ops[cut]?.op
  const keptBytes = cutOp?.kind === "truncate" ? cutOp.size : 0
  const image = new Uint8Array(size.bytes)
  for (let start = 0; start < size.bytes; start += block) {
    const versions = versionsOf(ops, start, block)
    const least = versions.findLastIndex((state) => state === 0 || ops[state - 1]?.isDurable === true)
    const usable = versions.slice(least).filter((state) => state > cut || keptBytes >= start + block)
    const allowed = usable.length > 0 ? usable : [cut + 1]
    const state = states[allowed[choices.of(allowed.length)] as number] as Uint8Array
    image.set(state.subarray(start, Math.min(start + block, size.bytes)), start)
  }
  return image
}

const after = (bytes: Uint8Array, op: FileOp): Uint8Array => (op.kind === "write" ? written(bytes, op.position, op.bytes) : resized(bytes, op.size))

/** The states (0: before all changes) between which the block at `start` differs. */
const versionsOf = (ops: ReadonlyArray<Pending<FileOp>>, start: number, block: number): ReadonlyArray<number> => {
  const states = [0]
  ops.forEach(({ op }, i) => {
    const touches = op.kind === "write" ? op.position < start + block && op.position + op.bytes.length > start : op.size < start + block
    if (touches) states.push(i + 1)
  })
  return states
}

const sizeImage = (states: ReadonlyArray<Uint8Array>, least: number, block: number, choices: Choices): { readonly bytes: number; readonly state: number } => {
  const sizes: Array<{ bytes: number; state: number }> = []
  for (let state = least; state < states.length; state++) {
    const bytes = (states[state] as Uint8Array).length
    const from = sizes.at(-1)?.bytes ?? bytes
    // Blocks of a long write reach the disk one by one, and the size with them: the first and the last of those steps represent all.
    const first = (Math.floor(from / block) + 1) * block
    const last = Math.floor((bytes - 1) / block) * block
    for (const step of new Set([first, last])) if (step > from && step < bytes) sizes.push({ bytes: step, state })
    if (bytes !== from || sizes.length === 0) sizes.push({ bytes, state })
  }
  return sizes[choices.of(sizes.length)] as { bytes: number; state: number }
}

const namesOf = (op: NameOp): ReadonlyArray<string> => (op.kind === "rename" ? [op.from, op.to] : [op.name])

const applyName = (entries: Map<string, NodeId>, op: NameOp): void => {
  if (op.kind === "enter") entries.set(op.name, op.child)
  else if (op.kind === "leave") entries.delete(op.name)
  else {
    const moved = entries.get(op.from)
    entries.delete(op.from)
    if (moved !== undefined) entries.set(op.to, moved)
  }
}

/** What a power cut leaves of a directory: all synced changes, and any subset of the others in which each name's changes keep their order. */
const directoryImage = (before: ReadonlyMap<string, NodeId>, ops: ReadonlyArray<Pending<NameOp>>, choices: Choices): ReadonlyMap<string, NodeId> => {
  const entries = new Map(before)
  const lost = new Set<string>()
  for (const { isDurable, op } of ops) {
    const names = namesOf(op)
    const mayBe = !names.some((name) => lost.has(name))
    if (isDurable || (mayBe && choices.of(2) === 1)) applyName(entries, op)
    else for (const name of names) lost.add(name)
  }
  return entries
}

/** One image of the disk that a power cut after the first `count` changes may leave. */
export const imageOf = (trace: TraceDisk, count: number, choices: Choices): Tree => {
  const { directories, files, names } = historyOf(trace, count)
  const build = (id: NodeId): Tree => {
    const before = trace.before.get(id)
    const entries = directoryImage(before instanceof Map ? before : new Map(), names.get(id) ?? [], choices)
    const tree: Tree = new Map()
    for (const [name, child] of entries) {
      const bytes = trace.before.get(child)
      tree.set(
        name,
        directories.has(child) ? build(child) : fileImage(bytes instanceof Uint8Array ? bytes : new Uint8Array(0), files.get(child) ?? [], choices)
      )
    }
    return tree
  }
  return build(rootId)
}
