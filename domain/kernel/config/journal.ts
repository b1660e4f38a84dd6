import { passwords } from "./known/family.ts"
import { int, type Setting, text, withoutDefault } from "./setting.ts"

/** An engine for the leader's journal that several candidates share. */
export interface JournalEngine {
  /** Addresses of its members, HOST:PORT. */
  readonly members: ReadonlyArray<string>
  readonly isSecure: boolean
  /** What the keys of this cluster begin with, e.g. "/franz". */
  readonly prefix: string
}

const member = "(?:\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9._-]+):\\d{1,5}"
const engine = new RegExp(`^(etcds?)://(${member}(?:,${member})*)(/[A-Za-z0-9._/-]*[A-Za-z0-9._-])$`)

/** What `franz.journal` may be: empty for files, or an engine. */
const journalForm = { pattern: new RegExp(`^$|${engine.source}`), expected: "etcd://HOST:PORT,HOST:PORT/PREFIX, or etcds:// for TLS" }

/** Reads `franz.journal`; undefined for a journal in files. */
export const journalEngine = (text: string): JournalEngine | undefined => {
  const [, scheme, members = "", prefix = ""] = engine.exec(text) ?? []
  return scheme === undefined ? undefined : { members: members.split(","), isSecure: scheme === "etcds", prefix }
}

/** The engine of the leader's journal. */
export const journal = {
  "franz.journal": withoutDefault({
    ...text(
      "",
      "The engine of the leader's journal, which several candidates for the leader's role share: etcd 3.4 or later, with a prefix of its keys for this cluster. Empty: files in metadata.log.dir."
    ),
    form: journalForm
  }),
  "franz.journal.username": withoutDefault(text("", "The user of etcd that reads and writes the prefix of franz.journal; empty: none.")),
  "franz.journal.password": { ...passwords(), doc: "The password of franz.journal.username." },
  "franz.journal.ca.file": withoutDefault(
    text("", "A PEM file with the certificates of the authorities that sign etcd's certificates (etcds://); empty: those of the system.")
  ),
  "franz.journal.certificate.file": withoutDefault(
    text(
      "",
      "A PEM file with the certificate that this node shows to an etcd that asks for one (--client-cert-auth). It has no CommonName where etcd knows users; empty: none."
    )
  ),
  "franz.journal.key.file": withoutDefault(text("", "The PEM file with the private key of franz.journal.certificate.file.")),
  "franz.leader.lease.ms": int(
    4000,
    2000,
    "How long a leader leads on that does not reach the engine of franz.journal; the time until another candidate takes over is about as long.",
    600_000
  )
} satisfies Record<string, Setting<number> | Setting<string>>
