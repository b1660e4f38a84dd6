import { dlopen, ptr } from "bun:ffi"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"

/** Reads the processor time, user and system, that a process and all its threads have used, those that have ended too: seconds. */
interface CpuClock {
  readonly seconds: (pid: number) => number
  /** The least difference that it tells, seconds. */
  readonly resolutionSeconds: number
}

/** Returns the kernel's count in `/proc`, which goes in ticks: 10 ms as a rule. */
const tickClock = (): CpuClock => {
  const ticks = Number(spawnSync("getconf", ["CLK_TCK"], { encoding: "utf8" }).stdout) || 100
  const seconds = (pid: number): number => {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
    return (Number(fields[11]) + Number(fields[12])) / ticks
  }
  return { seconds, resolutionSeconds: 1 / ticks }
}

/** Returns the clock of each process in nanoseconds (POSIX, clock_getcpuclockid), or undefined where the C library has another name. */
const posixClock = (): CpuClock | undefined => {
  try {
    const { symbols } = dlopen("libc.so.6", {
      clock_getcpuclockid: { args: ["i32", "ptr"], returns: "i32" },
      clock_gettime: { args: ["i32", "ptr"], returns: "i32" }
    })
    const id = new Int32Array(1)
    const time = new BigInt64Array(2)
    const seconds = (pid: number): number => {
      if (symbols.clock_getcpuclockid(pid, ptr(id)) !== 0 || symbols.clock_gettime(id[0] ?? 0, ptr(time)) !== 0)
        throw new Error(`the processor time of process ${pid} cannot be read: it has ended`)
      return Number(time[0]) + Number(time[1]) / 1e9
    }
    seconds(process.pid)
    return { seconds, resolutionSeconds: 1e-6 }
  } catch {
    return undefined
  }
}

export const cpuClock: CpuClock = posixClock() ?? tickClock()
