import process from "node:process"
import { brokerCommand, brokerLeadCommand, upCommand } from "../cli/node/command.ts"
import { roles } from "./node/roles.ts"

const nodeCommands = [upCommand(roles), brokerLeadCommand(roles), brokerCommand(roles)]
/**
 * A node starts some 10 ms sooner without the modules of the client's commands. `franz broker config` is one of these;
 * `franz broker --…` starts a node.
 */
const [first, second = "-"] = process.argv.slice(2)
const startsNode = second.startsWith("-") && nodeCommands.some(({ path }) => path[0] === first)

/** The commands of `franz` that the command line of this process may name, in the order of the help. */
export const commands = startsNode ? nodeCommands : [...nodeCommands, ...(await import("./client/client-commands.ts")).clientCommands(nodeCommands)]
