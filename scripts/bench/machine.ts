import { cpus, release, totalmem, type } from "node:os"

/** What the figures were measured on, for whoever reads them later. */
export const machine = () => ({
  system: `${type()} ${release()}`,
  processors: `${cpus().length} x ${cpus()[0]?.model.trim() ?? "?"}`,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  bun: Bun.version
})
