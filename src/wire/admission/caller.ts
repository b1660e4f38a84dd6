/** A broker's registration, as it stands in the journal. */
export interface RegisteredBroker {
  readonly id: number
  readonly epoch: number
}

/** The other end of one connection, as far as it has shown who it is. One for each connection that this node serves; a request that came in an Envelope has none. */
export class Caller {
  private registered: RegisteredBroker | undefined
  private isOver = false
  private onClose: (() => void) | undefined

  /** The broker that registered on this connection; undefined for a client, and for a broker whose registration does not stand any more. */
  get broker(): RegisteredBroker | undefined {
    return this.registered
  }
  /** The connection is a broker's from now on. `onClose` is called once, when it closes or is another broker's. Nothing happens on a connection that is closed. */
  identify(broker: RegisteredBroker, onClose: () => void): void {
    this.forget()
    if (this.isOver) return onClose()
    this.registered = broker
    this.onClose = onClose
  }
  /** The registration does not stand any more: the connection is a client's again. */
  forget(): void {
    const { onClose } = this
    this.registered = this.onClose = undefined
    onClose?.()
  }
  /** The connection is closed. */
  close(): void {
    this.isOver = true
    this.forget()
  }
}
