/** A process with its clock and its place in the network. */
export interface Node {
  /** Brokers count from 0, leaders of the cluster from 100, clients from 200. */
  readonly id: number
  isUp: boolean
  /** Which run of the process this is: messages and timers of an earlier one are lost. */
  life: number
  /** SIGSTOP until then; what arrives meanwhile waits. */
  pausedUntil: number
}

export const client = (id: number): Node => ({ id, isUp: true, life: 0, pausedUntil: 0 })
