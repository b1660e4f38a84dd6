import { Effect, Option, Random, type Scope } from "effect"
import { Cryptography } from "../../ports/cryptography.ts"
import { type Address, type ConnectFault, formatAddress, type TlsFault, Transport } from "../../ports/transport.ts"
import type { CallFault } from "../../wire/fault.ts"
import { connect, connectTls, type Link, type LinkOptions } from "../../wire/link.ts"
import { AuthenticationFailed, type ConnectError, NotReachable, TlsFailed } from "../error.ts"
import { ClientMetrics } from "../observability/client-metrics.ts"
import { authenticate, type Credentials } from "./authentication.ts"
import type { SecuritySettings } from "./options.ts"

/** Opens links as the options of the client demand: over TLS, and authenticated. */
export interface Connector {
  /** The link closes with the scope. A session is renewed before it ends, as long as the scope is open. */
  readonly open: (address: Address, options: LinkOptions) => Effect.Effect<Link, ConnectError, Scope.Scope>
  /** Undefined unless the options demand metrics. */
  readonly metrics: ClientMetrics | undefined
}

/** Faults by which a node ends a TLS connection that it has opened: TLS 1.3 reads the client's certificate after that. */
const refusedCertificate = /alert/i

const connectError = (fault: ConnectFault | TlsFault | CallFault | ConnectError, address: Address): ConnectError => {
  const at = formatAddress(address)
  switch (fault._tag) {
    case "NotReachable":
    case "TlsFailed":
    case "AuthenticationFailed":
      return fault
    case "TlsFault":
      return new TlsFailed({ address: at, code: fault.code, reason: fault.message })
    case "ConnectionLost":
      if (fault.expectsTls)
        return new TlsFailed({ address: at, code: "ALERT", reason: "the port expects TLS. Set the option tls, or connect to a port without TLS." })
      if (refusedCertificate.test(fault.reason)) {
        const advice = "Set tls.certificate and tls.privateKey to a pair that the node trusts."
        return new TlsFailed({
          address: at,
          code: "ALERT",
          reason: `the node refuses this client's certificate, or requires one (${fault.reason.slice(0, 200)}). ${advice}`
        })
      }
      return new NotReachable({ addresses: [at], reason: fault.message })
    default:
      return new NotReachable({ addresses: [at], reason: fault.message })
  }
}

/** Clients renew a session after this share of its lifetime, as Kafka's do; chance spreads them. */
const renewalShare = { least: 0.85, spread: 0.1 }

/**
 * Authenticates again, before the session ends, on the same connection (KIP-368). Requests wait meanwhile. A node that
 * refuses loses the connection: the next call opens another, and has the error.
 */
const renewed = (link: Link, address: Address, credentials: Credentials, lifetimeMs: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    let restMs = lifetimeMs
    while (restMs > 0) {
      yield* Effect.sleep(restMs * (renewalShare.least + renewalShare.spread * (yield* Random.next)))
      restMs = yield* link.alone(authenticate(link, address, credentials))
    }
  }).pipe(
    Effect.catchAll(({ message }) =>
      Effect.andThen(
        Effect.logWarning(`The session at ${formatAddress(address)} could not be renewed: ${message}`),
        Effect.sync(() => link.abandon("its session could not be renewed"))
      )
    )
  )

const noCryptography = "this platform has no service Cryptography. Provide it beside Transport; the layers of the package do."

interface ConnectorSettings extends SecuritySettings {
  readonly clientId: string
  /** Default false. */
  readonly metrics?: boolean
  /** Bounds the connection, and then the authentication, ms. */
  readonly timeoutMs: number
}

/** Makes the connector of a client. */
export const makeConnector = ({ clientId, metrics: counts = false, sasl, timeoutMs, tls }: ConnectorSettings): Effect.Effect<Connector, never, Transport> =>
  Effect.gen(function* () {
    const metrics = counts ? new ClientMetrics(clientId, yield* Effect.clock) : undefined
    const transport = yield* Transport
    // Optional, so that clients without SASL need no other service than Transport.
    const cryptography = yield* Effect.serviceOption(Cryptography)
    if (tls?.verify === false)
      yield* Effect.logWarning("dangerouslyAcceptAnyCertificate is set: any machine on the way to the cluster can read and change messages and passwords.")

    const authenticated = (link: Link, address: Address): Effect.Effect<void, ConnectError | CallFault, Scope.Scope> => {
      if (sasl === undefined) return Effect.void
      if (Option.isNone(cryptography))
        return Effect.fail(new AuthenticationFailed({ address: formatAddress(address), mechanism: sasl.mechanism, reason: noCryptography, temporary: false }))
      const credentials: Credentials = { sasl, crypto: cryptography.value, timeoutMs }
      return Effect.flatMap(authenticate(link, address, credentials), (lifetimeMs) =>
        lifetimeMs > 0 ? Effect.asVoid(Effect.forkScoped(renewed(link, address, credentials, lifetimeMs))) : Effect.void
      )
    }
    const open: Connector["open"] = (address, options) => {
      const connected: Effect.Effect<Link, ConnectFault | TlsFault | CallFault, Transport | Scope.Scope> =
        tls === undefined ? connect(address, options) : connectTls(address, tls, options)
      return connected.pipe(
        Effect.provideService(Transport, transport),
        // A node that accepts the connection and does not respond is unreachable, too.
        Effect.timeoutFail({
          duration: timeoutMs,
          onTimeout: () => new NotReachable({ addresses: [formatAddress(address)], reason: `it did not respond within connectTimeoutMs=${timeoutMs}` })
        }),
        Effect.tap((link) => authenticated(link, address)),
        Effect.mapBoth({
          onFailure: (fault) => {
            const error = connectError(fault, address)
            metrics?.refused(error)
            return error
          },
          onSuccess: (link) => {
            metrics?.connected()
            return metrics?.measured(link) ?? link
          }
        })
      )
    }
    return { open, metrics }
  })
