/** The whole site: a page for each Markdown file of docs, and the reference of the package. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { writeDeclarations } from "../package/declarations.ts"
import { entrySources, readManifest } from "../package/manifest.ts"
import { publicNames } from "./declarations.ts"
import { type NavigationGroup, pageHtml } from "./layout.ts"
import { type Rendered, render } from "./markdown.ts"
import { type Reference, referenceOf } from "./reference.ts"

export interface Site {
  /** The text of each file, by its path. */
  readonly files: ReadonlyMap<string, string>
  /** `page: link` for links to what does not exist. */
  readonly broken: ReadonlyArray<string>
}

const htmlPath = (path: string): string => path.replace(/\.md$/, ".html")

/** The order of the pages. A guide that is not listed is the last one there, another document the last one under "Project". */
const order: ReadonlyArray<readonly [group: string, paths: ReadonlyArray<string>]> = [
  [
    "Guides",
    ["first-message", "typed-topics", "worker", "testing", "testing-time-and-faults", "from-kafkajs", "promises", "operations"].map(
      (name) => `guides/${name}.md`
    )
  ],
  ["Library", ["clients.md", "client-security.md", "observability.md", "reference/index.md"]],
  ["Reference", []],
  ["Cluster", ["settings.md", "metrics.md", "skipped.md", "attacks.md", "performance.md"]],
  ["Project", ["architecture.md", "decisions/index.md"]]
]

const navigation = (pages: ReadonlyMap<string, Rendered>, reference: Reference): ReadonlyArray<NavigationGroup> => {
  const listed = new Set(["index.md", ...order.flatMap(([, paths]) => paths), ...reference.pages.map(({ path }) => path)])
  const rest = [...pages.keys()].filter((path) => !listed.has(path) && !path.startsWith("decisions/"))
  const isGuide = (path: string) => path.startsWith("guides/")
  const more: Readonly<Record<string, ReadonlyArray<string>>> = {
    Guides: rest.filter(isGuide),
    Reference: reference.pages.map(({ path }) => path),
    Project: rest.filter((path) => !isGuide(path))
  }
  const pathsOf = (group: string, paths: ReadonlyArray<string>) => [...paths, ...(more[group] ?? [])]
  return order.map(([title, paths]) => ({
    title,
    pages: pathsOf(title, paths).flatMap((path) => {
      const page = pages.get(path)
      return page === undefined ? [] : [{ path: htmlPath(path), title: page.title }]
    })
  }))
}

const decisionsIndex = (paths: ReadonlyArray<string>, docs: string): string => {
  const lines = paths.map((path) => `- [${readFileSync(join(docs, path), "utf8").match(/^# (.*)$/m)?.[1] ?? path}](${path.replace("decisions/", "")})`)
  return ["# Decisions", "Why things are as they are: context, decision, consequences.", lines.join("\n")].join("\n\n")
}

/** Writes the declarations, and reads the public names. Returns the compiler's errors as a text. */
const readReference = async (root: string): Promise<Reference | string> => {
  const types = join(root, "dist/site-types")
  mkdirSync(types, { recursive: true })
  const entries = entrySources(readManifest(root))
  const written = await writeDeclarations(root, types, entries)
  if (typeof written === "string") return written
  return referenceOf(entries.flatMap((entry) => publicNames(join(types, entry.replace(/\.ts$/, ".d.ts")))))
}

const repositoryOf = (root: string): string => (readManifest(root).repository as { readonly url: string }).url

/** Builds the site in memory. Returns the compiler's errors as a text. */
export const buildSite = async (root: string): Promise<Site | string> => {
  const reference = await readReference(root)
  if (typeof reference === "string") return reference
  const docs = join(root, "docs")
  const sources = new Map<string, string>()
  for (const path of readdirSync(docs, { recursive: true, encoding: "utf8" }).sort())
    if (path.endsWith(".md")) sources.set(path.replaceAll("\\", "/"), readFileSync(join(docs, path), "utf8"))
  const decisions = [...sources.keys()].filter((path) => path.startsWith("decisions/"))
  sources.set("decisions/index.md", decisionsIndex(decisions, docs))
  for (const { markdown, path } of reference.pages) sources.set(path, markdown)
  const list = reference.pages.map(({ path, title }) => `- [${title}](${path.replace("reference/", "")})`).join("\n")
  sources.set("reference/index.md", `${sources.get("reference/index.md") ?? "# Reference"}\n${list}\n`)

  const repository = repositoryOf(root)
    .replace(/^git\+/, "")
    .replace(/\.git$/, "")
  const target = {
    isPage: (path: string) => sources.has(path),
    fileAddress: (path: string) => (!path.startsWith("..") && existsSync(join(root, path)) ? `${repository}/blob/main/${path}` : undefined),
    nameAddress: (name: string, page: string) => reference.addresses.get(`${page}:${name}`) ?? reference.addresses.get(name)
  }
  const pages = new Map([...sources].map(([path, markdown]) => [path, render(path, markdown, target)]))
  const groups = navigation(pages, reference)
  return {
    files: new Map([...pages].map(([path, { html, title }]) => [htmlPath(path), pageHtml(htmlPath(path), title, html, groups)])),
    broken: [...pages].flatMap(([path, { broken }]) => broken.map((link) => `docs/${path}: ${link}`))
  }
}
