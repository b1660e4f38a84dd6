/** A change that is not durable yet: what a power cut may undo. `order` is its place among all changes of the disk. */
export interface Change {
  readonly order: number
  /** Makes it part of what survives. `bytes` limits a write to its first bytes (a torn write); other changes ignore it. */
  readonly settle: (bytes?: number) => void
  /** Bytes that it writes; 0 for a change that cannot tear. */
  readonly size: number
}

const grown = (bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> => {
  if (size <= bytes.length) return bytes
  const larger = new Uint8Array(Math.max(size, bytes.length * 2, 256))
  larger.set(bytes)
  return larger
}

/** Bytes that grow: the memory is at most twice what is in it. */
class Content {
  private bytes = new Uint8Array(0)
  size = 0

  get view(): Uint8Array {
    return this.bytes.subarray(0, this.size)
  }
  write(chunk: Uint8Array, position: number): void {
    this.bytes = grown(this.bytes, position + chunk.length)
    // A gap reads as zeros, also where a longer content stood before.
    if (position > this.size) this.bytes.fill(0, this.size, position)
    this.bytes.set(chunk, position)
    this.size = Math.max(this.size, position + chunk.length)
  }
  truncate(size: number): void {
    this.bytes = grown(this.bytes, size)
    if (size > this.size) this.bytes.fill(0, this.size, size)
    this.size = size
  }
  replace(bytes: Uint8Array): void {
    this.bytes = bytes.slice()
    this.size = bytes.length
  }
}

/** A file: what a reader sees, what a power cut leaves, and the changes between the two. */
export class FileNode {
  readonly kind = "file"
  readonly current = new Content()
  readonly durable = new Content()
  pending: Array<Change> = []
}

/** A directory, in the same three parts. */
export class DirectoryNode {
  readonly kind = "directory"
  readonly current = new Map<string, Node>()
  readonly durable = new Map<string, Node>()
  pending: Array<Change> = []
}

export type Node = FileNode | DirectoryNode
