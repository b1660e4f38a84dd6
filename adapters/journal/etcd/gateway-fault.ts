import { EtcdFault } from "./client.ts"

/** gRPC's status codes of refusals that changed nothing: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED. */
const refusing: ReadonlySet<number> = new Set([3, 5, 6, 8, 9, 11, 12])
const permissionDenied = 7
const unavailable = 14
const unauthenticated = 16
/** Errors of a request that did not leave this machine. */
const unsentCodes: ReadonlySet<string> = new Set(["ECONNREFUSED", "ConnectionRefused", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"])
/** Errors of a client that does not trust the server's certificate: it sends nothing. */
const untrusted = /certificate|ALTNAME|UNABLE_TO_VERIFY|SELF_SIGNED/i
/** A TLS connection that one of the two sides refused. */
const handshake = /EPROTO|ERR_SSL|TLS handshake|ERR_TLS/i
/** Characters of an answer that a message quotes. */
const quotedMax = 300

interface Failure {
  readonly error?: string
  readonly message?: string
  readonly code?: number
}

/** What the operator can do about a refusal, by what etcd says. The first that fits. */
const refusals: ReadonlyArray<{ readonly says: RegExp; readonly kind: EtcdFault["kind"]; readonly advice: string }> = [
  {
    says: /database space exceeded/,
    kind: "full",
    advice:
      "The store of etcd is full: compact and defragment it, or raise --quota-backend-bytes, then clear the alarm (etcdctl alarm disarm). docs/operations/cluster.md has the steps."
  },
  {
    says: /authentication is not enabled/,
    kind: "denied",
    advice: "franz.journal.username is set, and etcd knows no users: enable them (etcdctl auth enable), or remove the setting."
  },
  {
    says: /CommonName of client/,
    kind: "denied",
    advice:
      "etcd takes no user from a client certificate here, and refuses one that names any: issue the certificate of franz.journal.certificate.file without a CommonName (CN)."
  },
  { says: /user name is empty/, kind: "denied", advice: "etcd knows users: set franz.journal.username and franz.journal.password." },
  {
    says: /authentication failed/,
    kind: "denied",
    advice: "Set franz.journal.username and franz.journal.password to a user of etcd and its password."
  },
  {
    says: /permission denied/,
    kind: "denied",
    advice:
      "The user of franz.journal.username needs a role that reads and writes the prefix (etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/)."
  },
  // The users changed since the token was made. Another token is accepted, and nothing was done.
  { says: /invalid auth token|revision of auth store is old/, kind: "denied", advice: "The token of franz.journal.username was refused." }
]

const adviceOfMajority = "Is a majority of etcd's members up?"
const adviceOfVersion = "Version 3.4 or later of etcd is needed."

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
/** The error code of a request that failed: Bun has it in the error, other runtimes in its cause. */
const codeOf = (cause: unknown): string | undefined => {
  const code = (error: unknown) => (typeof error === "object" && error !== null && "code" in error ? String(error.code) : undefined)
  return code(cause) ?? (cause instanceof Error ? code(cause.cause) : undefined)
}

/** The fault of a request without a response. */
export const transportFault = (endpoint: string, cause: unknown): EtcdFault => {
  const code = codeOf(cause)
  const said = `${endpoint}: ${messageOf(cause)}`
  const about = `${code ?? ""} ${said}`
  if (untrusted.test(about))
    return new EtcdFault({
      kind: "unsent",
      message: `${said}. This node does not trust the certificate: set franz.journal.ca.file to the authorities that sign etcd's, and name etcd in franz.journal as its certificate does.`
    })
  if (handshake.test(about))
    return new EtcdFault({
      kind: "unknown",
      message: `${said}. Use etcd:// where etcd has no TLS; where it asks for a client certificate, set franz.journal.certificate.file and franz.journal.key.file.`
    })
  const isUnsent = code !== undefined && unsentCodes.has(code)
  const scheme = !isUnsent && endpoint.startsWith("http://") ? " Use etcds:// where it has TLS." : ""
  return new EtcdFault({ kind: isUnsent ? "unsent" : "unknown", message: `${said}. Is etcd running there, and is the address right?${scheme}` })
}

/** The fault of a request that waited too long. */
export const silenceFault = (endpoint: string, timeoutMs: number): EtcdFault =>
  new EtcdFault({ kind: "unknown", message: `${endpoint} did not answer within ${timeoutMs} ms. ${adviceOfMajority}` })

/** The fault that a response other than a success says. `json` is undefined where its body is no JSON. */
export const refusalOf = (endpoint: string, status: number, body: string, json: unknown): EtcdFault => {
  if (status === 404) return new EtcdFault({ kind: "denied", message: `${endpoint} is not etcd, or an old one: it does not know /v3. ${adviceOfVersion}` })
  const { code, error, message = error } = (json ?? {}) as Failure
  const plain = json === undefined ? body.trim().slice(0, quotedMax) : ""
  const said = `${endpoint}: ${message ?? (plain === "" ? `HTTP ${status}` : plain)}`
  const known = refusals.find(({ says }) => says.test(said))
  if (known !== undefined) return new EtcdFault({ kind: known.kind, message: `${said}. ${known.advice}` })
  if (code === permissionDenied || code === unauthenticated) return new EtcdFault({ kind: "denied", message: said })
  if (code === unavailable || /no leader|timed out/.test(said)) return new EtcdFault({ kind: "unknown", message: `${said}. ${adviceOfMajority}` })
  return new EtcdFault({ kind: code !== undefined && refusing.has(code) ? "refused" : "unknown", message: said })
}
