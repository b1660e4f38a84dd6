import { expect, test } from "bun:test"
import { oneLine } from "../../../../src/cli/shell/logger.ts"

test("a log line stays one line, and nothing in it speaks to the terminal", () => {
  expect(oneLine("first\n  second")).toBe("first | second")
  // An escape sequence in a client's id could colour, move or clear the screen of the operator who reads the log.
  expect(oneLine("client \u001b[2J\u0007 ends")).toBe("client \\u001b[2J\\u0007 ends")
})
