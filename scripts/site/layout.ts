/** The frame of a page: its navigation and its style. No page loads a script, a font or another file. */
import { posix } from "node:path"

export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"]/g, (found) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[found] ?? found)

/** The id of a heading, as GitHub makes it. */
export const slugOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/<[^>]+>|&\w+;/g, "")
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-")

export interface NavigationGroup {
  readonly title: string
  readonly pages: ReadonlyArray<{ readonly path: string; readonly title: string }>
}

const style = `
:root { color-scheme: light dark; --text: #1c1e21; --soft: #5a626c; --back: #fff; --panel: #f4f5f7; --line: #dcdfe4; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e6e9; --soft: #9aa3ad; --back: #15171a; --panel: #1f2226; --line: #353a40; --link: #7db7f5; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--text); background: var(--back); font: 1rem/1.6 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--link); }
header { display: flex; justify-content: space-between; gap: 1rem; padding: .7rem 1.2rem; border-bottom: 1px solid var(--line); }
header a { text-decoration: none; font-weight: 600; }
main { min-width: 0; max-width: 52rem; padding: 1rem 1.2rem 4rem; }
nav { padding: 1rem 1.2rem 3rem; border-top: 1px solid var(--line); font-size: .94rem; }
nav h2 { margin: 1rem 0 .3rem; font-size: .8rem; text-transform: uppercase; letter-spacing: .06em; color: var(--soft); }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .22rem 0; text-decoration: none; }
nav a[aria-current] { font-weight: 600; color: var(--text); }
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .6rem; }
h1 { margin-top: .6rem; font-size: 1.8rem; }
h2 { font-size: 1.3rem; }
h3 { font-size: 1.1rem; }
code, pre { font: .88em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
:not(pre) > code { background: var(--panel); padding: .1em .3em; border-radius: 3px; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .7rem .9rem; overflow-x: auto; }
pre.declaration { white-space: pre-wrap; margin-bottom: .3rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .93rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem .35rem 0; border-bottom: 1px solid var(--line); min-width: 5.5rem; overflow-wrap: normal; }
@media (min-width: 60rem) {
  .frame { display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
  nav { grid-column: 1; grid-row: 1; border-top: 0; border-right: 1px solid var(--line); }
  main { grid-column: 2; grid-row: 1; padding-left: 2.5rem; }
  header a.contents { display: none; }
}`

const relative = (from: string, to: string): string => posix.relative(posix.dirname(from), to)

/** Writes a page. Paths are those of the HTML files, from the top of the site. */
export const pageHtml = (path: string, title: string, content: string, groups: ReadonlyArray<NavigationGroup>): string => {
  const lists = groups.map(({ pages, title: group }) => {
    const links = pages.map((page) => {
      const current = page.path === path ? ' aria-current="page"' : ""
      return `<li><a href="${relative(path, page.path)}"${current}>${escapeHtml(page.title)}</a></li>`
    })
    return `<h2>${escapeHtml(group)}</h2>\n<ul>\n${links.join("\n")}\n</ul>`
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - Comanche Franz</title>
<style>${style}
</style>
</head>
<body>
<header><a href="${relative(path, "index.html")}">Comanche Franz</a><a class="contents" href="#contents">Contents</a></header>
<div class="frame">
<main>
${content}</main>
<nav id="contents" aria-label="Contents">
${lists.join("\n")}
</nav>
</div>
</body>
</html>
`
}
