import { type Address, ConnectFault, formatAddress, ListenFault } from "../../src/ports/transport.ts"

/** The operating system's code of an error, "UNKNOWN" where it has none. */
const codeOf = (cause: unknown): string => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" && code !== "" ? code : "UNKNOWN"
}
const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** Why a port cannot be listened on, and what to do about it. */
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

/** Why nobody was reached, and what to look at. */
export const connectFault = (address: Address, cause: unknown): ConnectFault => {
  const code = codeOf(cause)
  const at = formatAddress(address)
  const message = ((): string => {
    switch (code) {
      case "ECONNREFUSED":
        return `nobody listens on ${at}. Is the program there running, and is the port right?`
      case "ENOTFOUND":
      case "EAI_AGAIN":
        return `the host name ${address.host} is not known here. Check the name; if a broker gave it, check its advertised.listeners.`
      case "EHOSTUNREACH":
      case "ENETUNREACH":
        return `there is no way to ${at} from here. Check the network and the address.`
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

/** No answer within the time that the caller gave. */
export const connectTimeout = (address: Address, timeoutMs: number): ConnectFault =>
  new ConnectFault({ address, code: "ETIMEDOUT", message: `no answer from ${formatAddress(address)} within ${timeoutMs} ms.` })
