import { beforeAll, describe, expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join, posix } from "node:path"
import { buildSite, type Site } from "../../scripts/site/build.ts"
import { render } from "../../scripts/site/markdown.ts"
import * as library from "../../src/programs/library.ts"
import * as promise from "../../src/programs/promise.ts"
import * as testing from "../../src/programs/testing.ts"

const root = join(import.meta.dir, "../..")
let site: Site
beforeAll(async () => {
  const built = await buildSite(root)
  if (typeof built === "string") throw new Error(built)
  site = built
}, 120_000)

const matches = (text: string, pattern: RegExp): ReadonlyArray<string> => [...text.matchAll(pattern)].map(([, found = ""]) => found)
const idsOf = (text: string) => matches(text, / id="([^"]*)"/g)

describe("the site", () => {
  test("has a page for each document, and each is in the navigation or in the list of decisions", () => {
    const documents = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".md"))
    const pages = documents.map((path) => path.replace(/\.md$/, ".html"))
    expect(pages.filter((path) => !site.files.has(path))).toEqual([])
    const index = site.files.get("index.html") ?? ""
    const decisions = matches(site.files.get("decisions/index.html") ?? "", /<li><a href="(\d{4}-[^"]+)"/g).map((path) => `decisions/${path}`)
    const reachable = new Set([...matches(index, /href="([^"#]+)"/g), ...decisions, "index.html"])
    expect(pages.filter((path) => !reachable.has(path))).toEqual([])
  })

  test("its links lead to pages and headings that exist", () => {
    expect(site.broken).toEqual([])
    const ids = new Map([...site.files].map(([path, text]) => [path, new Set(idsOf(text))]))
    let links = 0
    const broken = [...site.files].flatMap(([path, text]) =>
      matches(text, /href="([^"]*)"/g).filter((href) => {
        if (/^https?:/.test(href)) return false
        links += 1
        const [file = "", anchor] = href.split("#")
        const there = ids.get(file === "" ? path : posix.normalize(posix.join(posix.dirname(path), file)))
        return there === undefined || (anchor !== undefined && !there.has(anchor))
      })
    )
    expect(broken).toEqual([])
    expect(links).toBeGreaterThan(2000)
  })

  test("loads nothing from elsewhere, and has no two headings of one id", () => {
    for (const [path, text] of site.files) {
      expect([path, ...matches(text, /<(script|link|img|iframe|style)[ >]/g)]).toEqual([path, "style"])
      expect([path, text.includes('name="viewport"')]).toEqual([path, true])
      expect([path, new Set(idsOf(text)).size]).toEqual([path, idsOf(text).length])
    }
  })

  test("describes each value that the package exports, in the reference", () => {
    const reference = [...site.files].filter(([path]) => path.startsWith("reference/")).map(([, text]) => text)
    const headings = new Set(reference.flatMap((text) => matches(text, /<h2 id="[^"]*">([^<]*)<\/h2>/g)))
    const names = [...[library, promise, testing].flatMap(Object.keys).filter((name) => name !== "Topic"), "Topic.make", "Topic.Topic"]
    expect(names.length).toBeGreaterThan(40)
    expect(names.filter((name) => !headings.has(name))).toEqual([])
    const consumer = site.files.get("reference/consumer.html") ?? ""
    // Two names that differ by their case alone have two headings.
    const topics = site.files.get("reference/topics.html") ?? ""
    expect(topics).toMatch(/<h2 id="deadletter(-1)?">deadLetter<[\s\S]*<h2 id="deadletter(-1)?">DeadLetter</)
    expect(new Set(matches(topics, /<a href="(#deadletter[^"]*)"/g)).size).toBe(2)
    // A member, its docstring, and a link from its signature to the declaration of a type.
    expect(consumer).toContain("readonly maxRecords?: number")
    expect(consumer).toContain("<p>Subscribes to topics, in addition to those of earlier calls.")
    expect(consumer).toContain('<a href="consumer.html#consumedrecord">ConsumedRecord</a>')
  })

  test("names a link to what does not exist, and shows HTML in Markdown as text", () => {
    const target = { isPage: (path: string) => path === "there.md", fileAddress: () => undefined, nameAddress: () => undefined }
    const { broken, html, title } = render(
      "guides/page.md",
      "# A `page`\n\n[a](../there.md#x) [b](gone.md)\n\nArray<b>text</b>\n\n<script>alert(1)</script>\n",
      target
    )
    expect(broken).toEqual(["gone.md"])
    expect(title).toBe("A page")
    expect(html).toContain('<a href="../there.html#x">a</a>')
    expect(html).toContain("Array&lt;b&gt;text&lt;/b&gt;")
    expect(html).not.toContain("<script>")
  })
})
