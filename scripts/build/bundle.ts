/**
 * How Bun bundles a program. What is imported on demand is a module of its own (`splitting`), so that a node does not
 * hold the client's commands: 2 MiB of an idle node.
 */
export const bundle = { target: "bun", format: "esm", minify: true, splitting: true } as const
