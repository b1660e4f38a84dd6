import { spawnSync } from "node:child_process"
import { join } from "node:path"
import { temporaryDirectory } from "./process.ts"

const sources = join(import.meta.dir, "client")
const builtIn = (build: (to: string) => { readonly status: number | null }): string | undefined => {
  const to = join(temporaryDirectory().path, "client")
  return build(to).status === 0 ? to : undefined
}

/** Builds the client of librdkafka: needs a C compiler and librdkafka-dev. CPATH and LIBRARY_PATH may name other places. */
export const buildLibrdkafka = (): string | undefined =>
  builtIn((to) => spawnSync("cc", ["-O2", join(sources, "librdkafka.c"), "-o", to, "-lrdkafka"], { stdio: "ignore" }))

/** Builds the client of franz-go: needs Go, which brings the module once. */
export const buildFranzGo = (): string | undefined =>
  builtIn((to) => spawnSync("go", ["build", "-o", to, "."], { cwd: join(sources, "franz-go"), stdio: "ignore" }))
