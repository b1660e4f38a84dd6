import { api, array, bool, errorCode, int32, int64, nullable, since, struct, text, throttleTime } from "../type/wire.ts"

/**
 * The partitions in a broker's log directories and their sizes, in bytes (KIP-113).
 *
 * Version 2 is flexible, 3 has an error for the whole response, 4 adds the volume's size (KIP-827), 5 whether the directory is cordoned.
 */
export const DescribeLogDirs = api(
  { key: 35, name: "DescribeLogDirs", versions: [1, 5], flexible: 2 },
  {
    topics: nullable(array(struct({ topic: text, partitions: array(int32) })))
  },
  {
    throttleTimeMs: throttleTime(),
    errorCode: since(3, errorCode, 0, "ignorable"),
    results: array(
      struct({
        errorCode,
        logDir: text,
        topics: array(
          struct({
            name: text,
            partitions: array(
              struct({
                partitionIndex: int32,
                partitionSize: int64,
                offsetLag: int64,
                isFutureKey: bool
              })
            )
          })
        ),
        totalBytes: since(4, int64, -1n, "ignorable"),
        usableBytes: since(4, int64, -1n, "ignorable"),
        isCordoned: since(5, bool, false, "ignorable")
      })
    )
  }
)
