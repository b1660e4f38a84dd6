import { expect, test } from "bun:test"
import { connect, createServer } from "node:net"
import { join } from "node:path"
import { freePort } from "../../scripts/bench/port.ts"

const file = join(import.meta.dir, "../../scripts/bench/port.ts")

test("programs that run at the same time get ports of their own, none twice, below those that the system gives", async () => {
  // Each asks for more than a block holds, prints them, and stays until all have asked: its blocks are held so long.
  const program = `const { freePort } = await import(${JSON.stringify(file)})
    const ports = await Promise.all(Array.from({ length: 40 }, freePort))
    console.log(JSON.stringify(ports))
    await new Response(Bun.stdin.stream()).text()`
  const others = Array.from({ length: 3 }, () => Bun.spawn([process.execPath, "-e", program], { stdin: "pipe", stdout: "pipe", stderr: "inherit" }))
  const asked = others.map(async ({ stdout }) => JSON.parse(new TextDecoder().decode((await stdout.getReader().read()).value)) as ReadonlyArray<number>)
  const ports = (await Promise.all([...asked, Promise.all(Array.from({ length: 40 }, freePort))])).flat()
  for (const { exited, stdin } of others) {
    await stdin.end()
    // The ports that it holds do not keep it.
    expect(await exited).toBe(0)
  }
  // The port after each belongs to it.
  expect(new Set(ports.flatMap((port) => [port, port + 1])).size).toBe(2 * 4 * 40)
  const fromSystem = await new Promise<number>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0))
    })
  })
  expect(fromSystem).toBeGreaterThan(Math.max(...ports))
  const [port = 0] = ports
  const refused = await new Promise<string | undefined>((resolve) => {
    const socket = connect(port, "127.0.0.1", () => resolve(undefined)).once("error", (cause: NodeJS.ErrnoException) => resolve(cause.code))
    socket.unref()
  })
  expect(refused).toBe("ECONNREFUSED")
})
