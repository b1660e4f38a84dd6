import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { settingsFile, settingsText } from "../../scripts/settings.ts"

test("docs/settings.md tells every setting as it is (bun scripts/settings.ts writes it)", () =>
  expect(readFileSync(settingsFile, "utf8").split("\n")).toEqual(settingsText().split("\n")))
