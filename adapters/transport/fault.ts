import { type Address, ConnectFault, formatAddress, ListenFault, TlsFault } from "../../src/ports/transport.ts"

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

/** What OpenSSL (Node, Bun) and rustls (Deno) report, and what it means. The first line that matches counts. */
const tlsCauses: ReadonlyArray<readonly [pattern: RegExp, message: (at: string, text: string) => string]> = [
  [/CERT_HAS_EXPIRED|certificate.*expired|expired.*certificate/i, (at) => `the certificate of ${at} has expired. Renew it on the node.`],
  [/CERT_NOT_YET_VALID|NotValidYet/i, (at) => `the certificate of ${at} is not valid yet. Check the clocks of this machine and of the node.`],
  [
    /ALTNAME|NotValidForName|hostname.*mismatch|ERR_TLS_CERT_ALTNAME_INVALID/i,
    (at, text) => `the certificate of ${at} is for another host (${text}). Connect by a name in the certificate, or set tls.serverName to one.`
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|UnknownIssuer|unknown issuer|CERT_UNTRUSTED|INVALID_CA|CaUsedAsEndEntity|self.signed certificate/i,
    (at) => `the certificate of ${at} is not issued by an authority that this client trusts. Set tls.ca to the certificate of its authority.`
  ],
  [
    /alert.*(certificate|unknown.ca|decrypt|access)|ALERT_(BAD|CERT|UNKNOWN_CA|UNSUPPORTED_CERT|NO_CERT)|CertificateRequired|certificate.required/i,
    (at, text) =>
      `${at} does not accept this client's certificate, or requires one (${text}). Set tls.certificate and tls.privateKey to a pair that the node trusts.`
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNKNOWN_PROTOCOL|wrong version number|InvalidContentType|corrupt message|HTTP_REQUEST/i,
    (at) => `${at} does not respond with TLS. Connect to its port with TLS, or leave the option tls out.`
  ],
  [
    /PEM|Invalid CA|BAD_DECRYPT|BAD_PASSWORD|KEY_VALUES_MISMATCH|ERR_OSSL|DECODER|ASN1|INVALID_ARG|passphrase|private key/i,
    (_, text) => `tls.ca, tls.certificate or tls.privateKey cannot be used (${text}). Each is PEM text, and the key belongs to the certificate.`
  ],
  [
    /ECONNRESET|EPIPE|socket hang up|disconnected before secure|unexpected.*(eof|end)|UnexpectedEof|close_notify/i,
    (at) =>
      `${at} closed the connection during the TLS handshake. The port may be one without TLS (leave the option tls out), or the node refuses this client's certificate.`
  ]
]
const codesOfConnecting: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "EMFILE",
  "ENFILE"
])

/** Returns why an address could not be reached over TLS, and what to do. */
export const tlsFault = (address: Address, cause: unknown): ConnectFault | TlsFault => {
  const code = codeOf(cause)
  if (codesOfConnecting.has(code)) return connectFault(address, cause)
  const text = textOf(cause).replace(/\s+/g, " ").slice(0, 200)
  const at = formatAddress(address)
  const known = tlsCauses.find(([pattern]) => pattern.test(`${code} ${text}`))
  return new TlsFault({ address, code, message: known?.[1](at, text) ?? `the TLS handshake with ${at} failed: ${text} (${code}).` })
}

/** Returns the fault for an attempt that had no answer within the caller's time. */
export const connectTimeout = (address: Address, timeoutMs: number): ConnectFault =>
  new ConnectFault({ address, code: "ETIMEDOUT", message: `${formatAddress(address)} did not accept the connection within ${timeoutMs} ms.` })
