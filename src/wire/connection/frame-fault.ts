/** A length prefix that is negative or over the bound. */
export interface FrameFault {
  readonly length: number
  readonly bytesMax: number
  /** The first bytes from the length on, at most 24 of them: they show which protocol the client speaks. */
  readonly head: Uint8Array
}

const methods = ["GET ", "POST", "PUT ", "HEAD", "OPTI", "DELE", "PATC", "CONN", "TRAC", "PRI "]
/** Returns the printable start of a text, up to the end of its first line. */
const firstLine = (bytes: Uint8Array): string => /^[\x20-\x7e]*/.exec(String.fromCharCode(...bytes))?.[0] ?? ""

/** Describes the bytes to an operator: the protocol that the client speaks instead of Kafka's. */
export const describeFrameFault = ({ length, bytesMax, head }: FrameFault): { readonly kind: string; readonly message: string } => {
  const start = firstLine(head.subarray(0, 4))
  if (methods.includes(start)) {
    return { kind: "http", message: `looks like an HTTP request (${firstLine(head)}): this port speaks the Kafka protocol` }
  }
  if (head[0] === 0x16 && head[1] === 0x03) {
    return { kind: "tls", message: "looks like a TLS handshake: this port speaks the Kafka protocol without TLS (security.protocol=PLAINTEXT)" }
  }
  // An alert: the peer expects TLS, and cannot read what it was sent.
  if (head[0] === 0x15 && head[1] === 0x03) return { kind: "alert", message: "it responds with a TLS alert: this port expects TLS" }
  if (start === "SSH-") return { kind: "ssh", message: "looks like an SSH client: this port speaks the Kafka protocol" }
  if (length < 0) return { kind: "garbage", message: `announces a request of ${length} bytes: this is not the Kafka protocol` }
  const text =
    start.length === 4 ? `looks like text (${firstLine(head)}): this port speaks the Kafka protocol. As a length it would be` : "announces a request of"
  return { kind: "oversized", message: `${text} ${length} bytes, over socket.request.max.bytes=${bytesMax}` }
}

/** Describes the bytes of a node to the operator of its client. */
export const describeResponseFault = (fault: FrameFault): { readonly kind: string; readonly message: string } => {
  const text = firstLine(fault.head)
  if (text.length >= 4) return { kind: "text", message: `it responds with text (${text}): the program at this port does not speak the Kafka protocol` }
  if (fault.length < 0)
    return { kind: "garbage", message: `it announces a response of ${fault.length} bytes: the program at this port does not speak the Kafka protocol` }
  return describeFrameFault(fault)
}
