import * as tls from "node:tls"
import { Redacted } from "effect"
import type { ConnectFault, TlsFault, TlsSettings, Transport } from "../../src/ports/transport.ts"
import { connecting } from "./connecting.ts"
import { tlsFault } from "./fault.ts"
import { NodeConnection } from "./node-connection.ts"

const secretOf = (secret: Redacted.Redacted<string> | undefined): string | undefined => (secret === undefined ? undefined : Redacted.value(secret))

const optionsOf = ({ ca, certificate, passphrase, privateKey, serverName, verify }: TlsSettings, host: string): tls.ConnectionOptions => ({
  minVersion: "TLSv1.2",
  rejectUnauthorized: verify,
  ...(ca === undefined ? {} : { ca: [...ca] }),
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(privateKey === undefined ? {} : { key: secretOf(privateKey) }),
  ...(passphrase === undefined ? {} : { passphrase: secretOf(passphrase) }),
  ...(serverName === undefined
    ? {}
    : {
        servername: serverName,
        // Without it a runtime may compare the certificate with the host that it connects to.
        checkServerIdentity: (_: string, peer: tls.PeerCertificate) => tls.checkServerIdentity(serverName, peer)
      }),
  host
})

/** TLS by node:tls, for Bun, Deno and Node alike: one implementation verifies certificates, and their hosts. */
export const connectTls: Transport["Type"]["connectTls"] = (address, settings, timeoutMs, opened) =>
  connecting<NodeConnection, ConnectFault | TlsFault>(address, timeoutMs, opened, tlsFault, ({ accepted, failed }) => {
    let socket: tls.TLSSocket
    try {
      socket = tls.connect({ ...optionsOf(settings, address.host), port: address.port })
    } catch (cause) {
      // Certificates and keys are read before the connection begins.
      failed(cause)
      return () => {}
    }
    socket.once("error", failed)
    socket.once("close", () => failed(Object.assign(new Error("the socket was closed"), { code: "ECONNRESET" })))
    socket.once("secureConnect", () => {
      if (settings.verify && !socket.authorized) {
        failed(socket.authorizationError ?? new Error("the certificate was not verified"))
        socket.destroy()
        return
      }
      const connection = new NodeConnection(socket, () => {})
      connection.listener = accepted(connection)
    })
    return () => socket.destroy()
  })
