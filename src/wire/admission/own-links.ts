import { type Address, type Connection, formatAddress, type Transport } from "../../ports/transport.ts"

/** An IPv4 address that a socket of both families shows as an IPv6 one. */
const mapped = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i
/** Normalizes an address for comparison: an IPv4 address has one form. */
export const plainHost = (host: string): string => host.replace(mapped, "")
const nameOf = ({ host, port }: Address): string => formatAddress({ host: plainHost(host), port })

/** The local ends of the links that this process has opened over a transport. A peer cannot claim one: its address and port are the ones of its socket. */
export class OwnLinks {
  private readonly ends = new Set<string>()

  /** Notes an open link. The returned function notes that the link is closed. */
  add({ local }: Pick<Connection, "local">): () => void {
    const name = nameOf(local)
    this.ends.add(name)
    return () => this.ends.delete(name)
  }
  /** Whether the other end of an accepted connection is a link of this process. */
  has({ remote }: Pick<Connection, "remote">): boolean {
    return this.ends.has(nameOf(remote))
  }
}

const known = new WeakMap<Transport["Type"], OwnLinks>()
/** The links of this process over that transport: sockets are the process's, so their ends are too. */
export const ownLinksOf = (transport: Transport["Type"]): OwnLinks => {
  const found = known.get(transport) ?? new OwnLinks()
  known.set(transport, found)
  return found
}
