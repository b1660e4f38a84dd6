/** Markdown to HTML, with links that lead to pages of the site or to the repository. */
import { posix } from "node:path"
import { Marked, type Tokens } from "marked"
import { escapeHtml, slugOf } from "./layout.ts"
import { declarationLanguage } from "./reference.ts"

interface Target {
  /** Whether a page of the site is made of this Markdown file. The path is from docs. */
  readonly isPage: (path: string) => boolean
  /** The address of a file of the repository; undefined where there is none. */
  readonly fileAddress: (pathFromRoot: string) => string | undefined
  /** The page and the anchor of a name of the package; that of the page itself comes first. */
  readonly nameAddress: (name: string, page: string) => string | undefined
}

export interface Rendered {
  readonly title: string
  readonly html: string
  /** Links to what does not exist. */
  readonly broken: ReadonlyArray<string>
}

/** Renders a page. `path` is that of its Markdown from docs. */
export const render = (path: string, markdown: string, target: Target): Rendered => {
  const broken: Array<string> = []
  const ids = new Map<string, number>()
  let title = path
  const at = posix.dirname(path)
  const addressOf = (href: string): string => {
    if (/^(https?:|mailto:|#)/.test(href)) return href
    const [, file = "", anchor = ""] = href.match(/^([^#]*)(#.*)?$/) ?? []
    const inDocs = posix.normalize(posix.join(at, file))
    if (target.isPage(inDocs)) return posix.relative(at, inDocs).replace(/\.md$/, ".html") + anchor
    const address = target.fileAddress(posix.normalize(posix.join("docs", at, file)))
    if (address === undefined) broken.push(href)
    return address === undefined ? href : address + anchor
  }
  const withNames = (text: string): string =>
    escapeHtml(text).replace(/\b[A-Za-z]\w*(?:\.[A-Za-z]\w*)?\b/g, (name) => {
      const address = /^[A-Z]/.test(name) ? target.nameAddress(name, posix.basename(path, ".md")) : undefined
      return address === undefined ? name : `<a href="${posix.relative(at, address)}">${name}</a>`
    })
  const marked = new Marked({
    gfm: true,
    renderer: {
      heading({ depth, tokens }: Tokens.Heading) {
        const inner = this.parser.parseInline(tokens)
        const slug = slugOf(inner)
        const before = ids.get(slug) ?? 0
        ids.set(slug, before + 1)
        if (depth === 1) title = inner.replace(/<[^>]+>/g, "")
        return `<h${depth} id="${before === 0 ? slug : `${slug}-${before}`}">${inner}</h${depth}>\n`
      },
      link({ href, tokens }: Tokens.Link) {
        return `<a href="${escapeHtml(addressOf(href))}">${this.parser.parseInline(tokens)}</a>`
      },
      code({ lang, text }: Tokens.Code) {
        return lang === declarationLanguage
          ? `<pre class="declaration"><code>${withNames(text)}</code></pre>\n`
          : `<pre><code>${escapeHtml(text)}</code></pre>\n`
      },
      // Markdown's own HTML is shown as text: docstrings have types in angle brackets.
      html({ text }: Tokens.HTML | Tokens.Tag) {
        return text.startsWith("<!--") ? "" : escapeHtml(text)
      }
    }
  })
  const html = (marked.parse(markdown) as string).replaceAll("<table>", '<div class="scroll"><table>').replaceAll("</table>", "</table></div>")
  return { title, html, broken }
}
