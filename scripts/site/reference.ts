/** The pages of the reference, as Markdown. */

import { membersOf, type PublicName } from "./declarations.ts"
import { slugOf } from "./layout.ts"

interface Area {
  readonly page: string
  readonly title: string
  readonly entry: "comanche-franz" | "comanche-franz/promise" | "comanche-franz/testing"
  readonly files: RegExp
  /** Names of the entry's own file. */
  readonly names?: RegExp
}

/** The first area that has a file, or a name of the entry, has the name. */
const areas: ReadonlyArray<Area> = [
  { page: "testing", title: "Clusters for tests", entry: "comanche-franz/testing", files: /\/programs\/(testing\.d|node-settings\.d|fault\/)/ },
  { page: "topics", title: "Typed topics, workers and dead letters", entry: "comanche-franz", files: /\/client\/(consumer\/typed|topic)\// },
  { page: "producer", title: "Producer", entry: "comanche-franz", files: /\/client\/producer\//, names: /^Producer$/ },
  { page: "consumer", title: "Consumer", entry: "comanche-franz", files: /\/client\/(consumer|group)\//, names: /^(Consumer|clusterEvents)$/ },
  { page: "admin", title: "Admin", entry: "comanche-franz", files: /\/client\/admin\//, names: /^Admin$/ },
  { page: "errors", title: "Errors", entry: "comanche-franz", files: /\/client\/error\.d\.ts$/ },
  { page: "promise", title: "The library with promises", entry: "comanche-franz/promise", files: /\/(client\/promise\/|programs\/promise\.d\.ts$)/ },
  { page: "connection", title: "Connections, security and observability", entry: "comanche-franz", files: /./ }
]

const areaOf = ({ file, name }: PublicName): Area => {
  const found = areas.find(({ files, names }) => (file.endsWith("/programs/library.d.ts") ? names?.test(name) : files.test(file)))
  return found ?? (areas.at(-1) as Area)
}

/** A block of declarations, in which the names of the package become links. */
export const declarationLanguage = "declaration"
const block = (text: string): string => `\`\`\`${declarationLanguage}\n${text.replace(/^export (declare )?/, "").trimEnd()}\n\`\`\``

const section = ({ doc, publicName, text }: PublicName): string => {
  const parts = membersOf(text)
  const shown =
    parts === undefined || parts.members.length === 0
      ? [block(text)]
      : [block(`${parts.head} … }`), ...parts.members.flatMap((member) => [block(member.text), member.doc])]
  return [`## ${publicName}`, doc, ...shown].filter((part) => part !== "").join("\n\n")
}

interface ReferencePage {
  readonly path: string
  readonly title: string
  readonly markdown: string
}
/** The pages, and the address of each name from the top of the site. */
export interface Reference {
  readonly pages: ReadonlyArray<ReferencePage>
  readonly addresses: ReadonlyMap<string, string>
}

/** What a reader looks for first comes first: the service, its options, its functions. */
const rankOf = ({ name, file }: PublicName): number => {
  const isOwn = file.endsWith("/programs/library.d.ts")
  const first = [isOwn, name.endsWith("Service"), name.endsWith("Options"), /^[a-z]/.test(name)].indexOf(true)
  return first === -1 ? 4 : first
}

/** The ids that the page gives its headings, which differ by more than the case of their letters. */
const anchorsOf = (title: string, names: ReadonlyArray<PublicName>): ReadonlyMap<PublicName, string> => {
  const times = new Map<string, number>([[slugOf(title), 1]])
  return new Map(
    names.map((name) => {
      const slug = slugOf(name.publicName)
      const before = times.get(slug) ?? 0
      times.set(slug, before + 1)
      return [name, before === 0 ? slug : `${slug}-${before}`]
    })
  )
}

export const referenceOf = (all: ReadonlyArray<PublicName>): Reference => {
  const addresses = new Map<string, string>()
  const isAgain = new Set<string>()
  const names = all.filter(({ file, publicName }) => {
    const key = `${file} ${publicName}`
    return !isAgain.has(key) && isAgain.add(key)
  })
  const pages = areas.map(({ entry, page, title }): ReferencePage => {
    const path = `reference/${page}.md`
    const here = names.filter((name) => areaOf(name).page === page).sort((a, b) => rankOf(a) - rankOf(b))
    const anchors = anchorsOf(title, here)
    for (const [{ publicName }, anchor] of anchors) {
      const address = `reference/${page}.html#${anchor}`
      addresses.set(`${page}:${publicName}`, address)
      // Promises have the names of Effect's services.
      if (page !== "promise") addresses.set(publicName, address)
    }
    const list = here.map((name) => `[\`${name.publicName}\`](#${anchors.get(name)})`).join(", ")
    return { path, title, markdown: [`# ${title}`, `From \`${entry}\`: ${list}.`, ...here.map(section)].join("\n\n") }
  })
  return { pages, addresses }
}
