import process from "node:process"
import { brokerCommand, brokerLeadCommand, upCommand } from "../cli/node/command.ts"
import { roles } from "./node/roles.ts"

const nodeCommands = [upCommand(roles), brokerLeadCommand(roles), brokerCommand(roles)]
/** A node starts sooner, by some 10 ms, without the client's commands, of which `broker config` begins with the same word. */
const [first, second = "-"] = process.argv.slice(2)
const startsNode = second.startsWith("-") && nodeCommands.some(({ path }) => path[0] === first)

/** The commands of `franz` that the words of this process may mean, in the order of its help. */
export const commands = startsNode ? nodeCommands : [...nodeCommands, ...(await import("./client/client-commands.ts")).clientCommands]
