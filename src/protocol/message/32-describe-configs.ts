import { api, array, bool, errorCode, int8, nullable, since, struct, text, throttleTime, withDefault } from "../type/wire.ts"

/**
 * The settings of topics (resource type 2), brokers (4) and other things, with where each comes from.
 *
 * Version 1 adds source and synonyms (KIP-226), 3 types and documentation (KIP-569), 4 is flexible.
 */
export const DescribeConfigs = api(
  { key: 32, name: "DescribeConfigs", versions: [1, 4], flexible: 4 },
  {
    resources: array(
      struct({
        resourceType: int8,
        resourceName: text,
        configurationKeys: nullable(array(text))
      })
    ),
    includeSynonyms: withDefault(bool, false),
    includeDocumentation: since(3, bool, false)
  },
  {
    throttleTimeMs: throttleTime(),
    results: array(
      struct({
        errorCode,
        errorMessage: nullable(text),
        resourceType: int8,
        resourceName: text,
        configs: array(
          struct({
            name: text,
            value: nullable(text),
            readOnly: bool,
            configSource: withDefault(int8, -1),
            isSensitive: bool,
            synonyms: array(struct({ name: text, value: nullable(text), source: int8 })),
            configType: since(3, int8, 0, "ignorable"),
            documentation: since(3, nullable(text), "", "ignorable")
          })
        )
      })
    )
  }
)
