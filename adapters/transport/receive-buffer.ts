/** glibc, then musl; macOS has one. */
const libraries: ReadonlyArray<string> =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : process.platform === "linux"
      ? ["libc.so.6", `libc.musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`]
      : []
const [socketLevel, receiveBuffer] = process.platform === "darwin" ? [0xffff, 0x1002] : [1, 8]

/** setsockopt(2): `value` points to a C int of `bytes` bytes. */
type SetSocketOption = (fd: number, level: number, name: number, value: Int32Array, bytes: number) => number

let loaded: { readonly call: SetSocketOption | undefined } | undefined
const load = (): SetSocketOption | undefined => {
  const { dlopen } = require("bun:ffi") as typeof import("bun:ffi")
  for (const library of libraries)
    try {
      const { symbols } = dlopen(library, { setsockopt: { args: ["i32", "i32", "i32", "buffer", "u32"], returns: "i32" } })
      return symbols.setsockopt as unknown as SetSocketOption
    } catch {
      // Another C library, then.
    }
  return undefined
}

/**
 * Bounds what the kernel keeps of received bytes (SO_RCVBUF; Linux keeps up to twice as many), whatever it made of the
 * buffer before. Returns false where the system has no such call, or where `fd` is no open socket.
 */
export const boundReceiveBuffer = (fd: number, bytes: number): boolean => {
  loaded ??= { call: load() }
  // Numbers are converted at the call: a native function takes what the engine holds as it is.
  return loaded.call?.(fd | 0, socketLevel, receiveBuffer, Int32Array.of(bytes | 0), 4) === 0
}
