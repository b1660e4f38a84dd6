/** The content of a directory: files with their bytes, directories with their content. */
export type Tree = Map<string, Uint8Array | Tree>

export const copyTree = (tree: Tree): Tree =>
  new Map([...tree].map(([name, content]) => [name, content instanceof Uint8Array ? content.slice() : copyTree(content)] as const))

/** Returns the entry at `path`, which has no leading slash. */
export const at = (tree: Tree, path: string): Uint8Array | Tree | undefined => {
  let found: Uint8Array | Tree | undefined = tree
  for (const name of path.split("/")) found = found instanceof Map ? found.get(name) : undefined
  return found
}
export const fileAt = (tree: Tree, path: string): Uint8Array | undefined => {
  const found = at(tree, path)
  return found instanceof Uint8Array ? found : undefined
}
export const namesIn = (tree: Tree, path: string): ReadonlyArray<string> => {
  const found = at(tree, path)
  return found instanceof Map ? [...found.keys()] : []
}

/** Returns a 64-bit hash over names and bytes, which distinguishes trees. */
export const treeHash = (tree: Tree): bigint => {
  let hash = 0n
  for (const name of [...tree.keys()].sort()) {
    const content = tree.get(name)
    const inner = content instanceof Uint8Array ? BigInt(Bun.hash(content)) : treeHash(content ?? new Map())
    hash = BigInt(Bun.hash(`${hash}/${name}/${inner}`))
  }
  return hash
}
