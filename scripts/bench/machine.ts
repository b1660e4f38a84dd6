import { cpus, release, totalmem, type } from "node:os"

/** The machine of the figures, for their readers. */
export const machine = () => ({
  system: `${type()} ${release()}`,
  processors: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  bun: Bun.version
})
