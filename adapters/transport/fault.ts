import { type Address, ConnectFault, formatAddress, ListenFault } from "../../src/ports/transport.ts"

/** Returns the operating system's code of an error, "UNKNOWN" where it has none. */
const codeOf = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" && code !== "" ? code : "UNKNOWN"
}
const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Returns why a port cannot be listened on, and what to do. */
export const listenFault = (address: Address, cause: unknown): ListenFault => {
  const { host, port } = address
  const code = codeOf(cause)
  const message = ((): string => {
    switch (code) {
      case "EADDRINUSE":
        return `port ${port} is in use on ${host}: another program listens there. Stop it, or choose another port (0 takes a free one).`
      case "EACCES":
      case "EPERM":
        return `port ${port} on ${host} is not allowed for this user: ports below 1024 usually belong to root. Choose a higher one.`
      case "EADDRNOTAVAIL":
        return `${host} is not an address of this machine. Use 127.0.0.1 for this machine alone, 0.0.0.0 for every address, or one of its own.`
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return `the host name ${host} is not known here. Check the name, or use an address.`
      case "EMFILE":
      case "ENFILE":
        return "there are no file descriptors left. Raise the limit (ulimit -n), or close what holds them."
      default:
        return `cannot listen on ${formatAddress(address)}: ${textOf(cause)}${code === "UNKNOWN" ? ". Check that the host name is right" : ` (${code})`}.`
    }
  })()
  return new ListenFault({ address, code, message })
}

/** Returns why an address cannot be reached, and what to check. */
export const connectFault = (address: Address, cause: unknown): ConnectFault => {
  const code = codeOf(cause)
  const at = formatAddress(address)
  const message = ((): string => {
    switch (code) {
      case "ECONNREFUSED":
        return `connection refused: no program listens on ${at}. Check that the node runs and that the port is right.`
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return `the host name ${address.host} is not known here. Check the name; if a broker gave it, check its advertised.listeners.`
      case "EHOSTUNREACH":
      case "ENETUNREACH":
        return `no route to ${at}. Check the network and the address.`
      case "ECONNRESET":
        return `${at} closed the connection at once.`
      case "EMFILE":
      case "ENFILE":
        return "there are no file descriptors left. Raise the limit (ulimit -n), or close what holds them."
      default:
        return `cannot connect to ${at}: ${textOf(cause)}${code === "UNKNOWN" ? "" : ` (${code})`}.`
    }
  })()
  return new ConnectFault({ address, code, message })
}

/** Returns the fault for an attempt that had no answer within the caller's time. */
export const connectTimeout = (address: Address, timeoutMs: number): ConnectFault =>
  new ConnectFault({ address, code: "ETIMEDOUT", message: `no answer from ${formatAddress(address)} within ${timeoutMs} ms.` })
