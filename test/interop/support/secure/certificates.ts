import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A certificate and its key, PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

const openssl = (args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("openssl", args, { encoding: "utf8" })
  if (status !== 0) throw new Error(`openssl ${args.join(" ")}: ${stderr}`)
}

/** A certification authority for tests, in a temporary directory that `remove` deletes. */
export class Authority {
  readonly directory = mkdtempSync(join(tmpdir(), "franz-certificates-"))
  readonly certificate: string

  constructor(name: string) {
    this.make("ca", ["-x509", "-days", "30", "-subj", `/CN=${name}`, "-addext", "basicConstraints=critical,CA:TRUE"])
    this.certificate = this.read("ca.crt")
  }

  /** The path of a file of the authority: "ca.crt", or the certificate or the key of a subject. */
  path(file: string): string {
    return join(this.directory, file)
  }
  /**
   * Issues a certificate for `subject`. `names` are the hosts that it is valid for; `expired` makes one of the past, and `field` is the
   * part of the name that has the subject.
   */
  issue(subject: string, names: string, expired = false, field: "CN" | "O" = "CN"): Identity {
    const at = (suffix: string) => join(this.directory, `${subject}.${suffix}`)
    openssl(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", `/${field}=${subject}`, "-keyout", at("key"), "-out", at("csr")])
    writeFileSync(at("ext"), `subjectAltName=${names}\n`)
    const days = ["-days", expired ? "-1" : "30"]
    const signed = ["-CA", join(this.directory, "ca.crt"), "-CAkey", join(this.directory, "ca.key"), "-CAcreateserial"]
    openssl(["x509", "-req", "-in", at("csr"), "-out", at("crt"), "-extfile", at("ext"), ...signed, ...days])
    return { certificate: this.read(`${subject}.crt`), key: this.read(`${subject}.key`) }
  }
  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  private make(name: string, more: ReadonlyArray<string>): void {
    const [key, certificate] = [join(this.directory, `${name}.key`), join(this.directory, `${name}.crt`)]
    openssl(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", certificate, ...more])
  }
  private read(name: string): string {
    return readFileSync(join(this.directory, name), "utf8")
  }
}
