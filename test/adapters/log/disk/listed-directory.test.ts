import { expect, test } from "bun:test"
import fc from "fast-check"
import { ListedDirectory } from "../../../../adapters/log/disk/listed-directory.ts"
import { MemoryDisk } from "../../../../adapters/log/memory/memory-disk.ts"

const names = ["a", "b", "c"]
const step = fc.record({
  what: fc.constantFrom<("create" | "unlink" | "rename" | "list" | "forget")[]>("create", "unlink", "rename", "list", "forget"),
  name: fc.constantFrom(...names),
  to: fc.constantFrom(...names)
})

test("a directory that was listed once returns what the disk returns, after any operations through it", () =>
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { maxLength: 20 }), (isThere, steps) => {
      const under = new MemoryDisk().session()
      if (isThere) under.makeDirectory("/data/log")
      else under.makeDirectory("/data")
      const listed = new ListedDirectory(under, "/data/log")
      const { disk } = listed
      expect(disk.exists("/data/log")).toBe(isThere)
      if (!isThere) disk.makeDirectory("/data/log")
      for (const { name, to, what } of steps) {
        const path = `/data/log/${name}`
        if (what === "create") disk.open(path, "create").close()
        else if (what === "unlink" && under.exists(path)) disk.unlink(path)
        else if (what === "rename" && under.exists(path) && name !== to) disk.rename(path, `/data/log/${to}`)
        else if (what === "forget") listed.forget()
        expect([...disk.list("/data/log")].sort()).toEqual([...under.list("/data/log")].sort())
        for (const each of names) expect(disk.exists(`/data/log/${each}`)).toBe(under.exists(`/data/log/${each}`))
        expect([disk.exists("/data/log"), disk.exists("/data/logs"), disk.exists("/data/log/a/b")]).toEqual([true, false, false])
      }
    })
  ))
