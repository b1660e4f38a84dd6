/** What an attack is aimed at, and how much of it there shall be. */
export interface Aim {
  readonly port: number
  /** A topic with four partitions that the attack may fill. */
  readonly topic: string
  /** Whether the attack continues: false when its time is over, or the node has ended. */
  readonly goesOn: () => boolean
  /** Of the full size: a part of it in the short form that the tests run, 1 otherwise. */
  readonly share: number
  /** Seeds what is drawn by chance. */
  readonly seed: number
}

/** One thing that strangers may do to a node. It must leave the node serving, within its memory, and with everything that it acknowledged. */
export interface Attack {
  readonly name: string
  /** What it does, in a sentence. */
  readonly about: string
  /** Settings of the node that it is aimed at, beside the defaults. */
  readonly settings?: ReadonlyArray<string>
  /** Data directories of the node, one where it is left out. */
  readonly directories?: number
  /** Runs it; returns what it did, for the report. Whatever the node refuses is no failure of the attack. */
  readonly run: (aim: Aim) => Promise<string>
  /** Looks at the node when the attack is over: a text is what is wrong with it. */
  readonly verify?: (aim: Aim) => Promise<string | undefined>
}

/** A number of things, by the share of the attack; at least one. */
export const scaled = ({ share }: Pick<Aim, "share">, full: number): number => Math.max(1, Math.round(full * share))
