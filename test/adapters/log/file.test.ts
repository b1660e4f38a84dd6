import * as fs from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layer } from "../../../adapters/log/file/layer.ts"
import { logStoreContract, type StoreWorld } from "../../src/ports/log-store.contract.ts"

const fileWorld = (directory: string): StoreWorld => ({
  layer: layer({ directory }),
  list: (path) => fs.readdirSync(join(directory, path)),
  read: (path) => new Uint8Array(fs.readFileSync(join(directory, path))),
  write: (path, bytes) => fs.writeFileSync(join(directory, path), bytes),
  remove: (path) => fs.unlinkSync(join(directory, path)),
  copy: () => {
    const other = fs.mkdtempSync(join(tmpdir(), "franz-log-"))
    fs.cpSync(directory, other, { recursive: true })
    return fileWorld(other)
  },
  end: () => fs.rmSync(directory, { recursive: true, force: true })
})

logStoreContract("file", () => fileWorld(fs.mkdtempSync(join(tmpdir(), "franz-log-"))), { damageStride: 61 })
