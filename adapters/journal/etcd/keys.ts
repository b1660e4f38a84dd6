import type { KeyRange } from "./client.ts"

const digits = 16
const ofIndex = (index: number): string => index.toString(16).padStart(digits, "0")

/** The end of the range of all keys that begin with `prefix`, which ends in '/'. */
const endOf = (prefix: string): string => `${prefix.slice(0, -1)}0`

/** The keys of one stream. Numbers in keys are hexadecimal with 16 digits, so that keys are in the order of the numbers. */
export class StreamKeys {
  private readonly base: string

  constructor(prefix: string, stream: string) {
    this.base = `${prefix}/${stream}`
  }

  /** Who leads: bound to the leader's lease. */
  get leader(): string {
    return `${this.base}/state/leader`
  }
  /** The newest epoch. */
  get epoch(): string {
    return `${this.base}/state/epoch`
  }
  /** The index that the next entry gets. */
  get head(): string {
    return `${this.base}/state/head`
  }
  /** Which parts the newest snapshot and the one before it have. */
  get snapshot(): string {
    return `${this.base}/state/snapshot`
  }
  /** The four keys above. */
  get state(): KeyRange {
    return { key: `${this.base}/state/`, end: endOf(`${this.base}/state/`) }
  }

  /** The append whose first entry has this index. */
  entry(index: number): string {
    return `${this.base}/e/${ofIndex(index)}`
  }
  entriesFrom(index: number): KeyRange {
    return { key: this.entry(index), end: endOf(`${this.base}/e/`) }
  }
  entriesTo(index: number): KeyRange {
    return { key: `${this.base}/e/`, end: this.entry(index) }
  }
  /** The first index of the append that is under `key`. */
  indexOf(key: string): number {
    return Number.parseInt(key.slice(-digits), 16)
  }

  /** A part of an append that is too large for one request; its last part is under `entry`. */
  part(index: number, epoch: number, part: number): string {
    return `${this.base}/p/${ofIndex(index)}/${epoch}/${ofIndex(part)}`
  }
  partsOf(index: number, epoch: number): KeyRange {
    const key = `${this.base}/p/${ofIndex(index)}/${epoch}/`
    return { key, end: endOf(key) }
  }
  partsFrom(index: number): KeyRange {
    return { key: `${this.base}/p/${ofIndex(index)}`, end: endOf(`${this.base}/p/`) }
  }
  partsTo(index: number): KeyRange {
    return { key: `${this.base}/p/`, end: `${this.base}/p/${ofIndex(index)}` }
  }

  /** A part of a snapshot. `save` tells two snapshots at the same index apart. */
  snapshotPart(save: string, part: number): string {
    return `${this.base}/s/${save}/${ofIndex(part)}`
  }
  snapshotParts(save: string): KeyRange {
    const key = `${this.base}/s/${save}/`
    return { key, end: endOf(key) }
  }
  get snapshots(): KeyRange {
    return { key: `${this.base}/s/`, end: endOf(`${this.base}/s/`) }
  }
}
