/** Processes and directories of a run, which are removed when it ends, also by an interrupt. */
const leftovers = new Set<() => void>()

/** `remove` is called once: by the answer, or when this process ends. It must not wait for anything. */
export const leaves = (remove: () => void): (() => void) => {
  const once = () => {
    if (leftovers.delete(once)) remove()
  }
  leftovers.add(once)
  return once
}

const all = (): void => {
  for (const remove of [...leftovers].reverse()) {
    try {
      remove()
    } catch (cause) {
      console.error(String(cause))
    }
  }
}

process.once("exit", all)
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129]
] as const) {
  process.once(signal, () => {
    console.error("\nfranz: interrupted; what was started is stopped, its data is removed …")
    process.exit(code)
  })
}
