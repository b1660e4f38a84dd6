import { masked } from "../../../domain/kernel/printable.ts"

/** Characters of a client id that are kept: the client id is in log lines, and in the journal with each event that the client caused. */
const nameCharactersMax = 100

/** Formats the client for logs and the journal: its client id with unprintable characters masked, and its address. */
export const actorOf = (clientId: string | null, address: string): string => {
  if (clientId === null) return address
  const name = clientId.length > nameCharactersMax ? `${clientId.slice(0, nameCharactersMax)}…` : clientId
  return `${masked(name)}@${address}`
}
