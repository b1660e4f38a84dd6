import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { settingsFile, settingsText, settingsType, settingsTypeFile } from "../../scripts/settings.ts"

test("docs/settings.md tells every setting as it is (bun scripts/settings.ts writes it)", () =>
  expect(readFileSync(settingsFile, "utf8").split("\n")).toEqual(settingsText().split("\n")))

test("the settings of a test cluster have the type of the table (bun scripts/settings.ts writes it)", () =>
  expect(readFileSync(settingsTypeFile, "utf8").split("\n")).toEqual(settingsType().split("\n")))
