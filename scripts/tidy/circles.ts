import { importsOf, type Source } from "./source.ts"

/** The circles of a graph: its strongly connected components of more than one node, each sorted (Tarjan's algorithm). Exported for tests. */
export const circlesOf = (graph: ReadonlyMap<string, ReadonlySet<string>>): ReadonlyArray<ReadonlyArray<string>> => {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: Array<string> = []
  const onStack = new Set<string>()
  const circles: Array<ReadonlyArray<string>> = []
  const visit = (node: string): void => {
    order.set(node, order.size)
    lowest.set(node, order.get(node) as number)
    stack.push(node)
    onStack.add(node)
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next)
      if (onStack.has(next)) lowest.set(node, Math.min(lowest.get(node) as number, lowest.get(next) as number))
    }
    if (lowest.get(node) !== order.get(node)) return
    const circle = stack.splice(stack.indexOf(node))
    for (const each of circle) onStack.delete(each)
    if (circle.length > 1) circles.push(circle.toSorted())
  }
  for (const node of graph.keys()) if (!order.has(node)) visit(node)
  return circles
}

const graphOf = (sources: ReadonlyArray<Source>, nodeOf: (path: string) => string): ReadonlyMap<string, ReadonlySet<string>> => {
  const graph = new Map<string, Set<string>>()
  const known = new Set(sources.map(({ path }) => path))
  for (const source of sources) {
    const from = nodeOf(source.path)
    const targets = graph.get(from) ?? new Set()
    graph.set(from, targets)
    for (const { target } of importsOf(source)) if (known.has(target) && nodeOf(target) !== from) targets.add(nodeOf(target))
  }
  return graph
}

/** Files that import each other in a circle. Types count: who wants to understand one of them must read all of them. */
export const fileCircles = (sources: ReadonlyArray<Source>): ReadonlyArray<ReadonlyArray<string>> => circlesOf(graphOf(sources, (path) => path))

/** Directories that import each other in a circle. */
export const directoryCircles = (sources: ReadonlyArray<Source>): ReadonlyArray<ReadonlyArray<string>> =>
  circlesOf(graphOf(sources, (path) => path.slice(0, path.lastIndexOf("/") + 1)))
