import { masked } from "../../../domain/kernel/printable.ts"

/** Characters of a client's own name that are kept: it stands in log lines, and in the journal with each event that the client caused. */
const nameCharactersMax = 100

/** Who asks, for logs and the journal: the name that the client gives itself, which may hold anything, made fit to be read, and its address. */
export const actorOf = (clientId: string | null, address: string): string => {
  if (clientId === null) return address
  const name = clientId.length > nameCharactersMax ? `${clientId.slice(0, nameCharactersMax)}…` : clientId
  return `${masked(name)}@${address}`
}
