import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { has } from "./process.ts"

/** The Python that has confluent-kafka: the one that the interop tests use, else what is on the PATH. */
export const python = (): string => {
  if (process.env.FRANZ_PYTHON !== undefined) return process.env.FRANZ_PYTHON
  const known = join(homedir(), ".cache/franz-interop/venv/bin/python3")
  return existsSync(known) ? known : "python3"
}

export const lacksConfluent = (): string | undefined =>
  has(python(), "-c", "import confluent_kafka") ? undefined : "Python's confluent-kafka is missing (FRANZ_PYTHON says which Python has it)"
