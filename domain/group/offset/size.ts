import { textBytes } from "../text-size.ts"

/** Bytes that an offset is counted with besides its metadata: about the memory that it needs. */
const offsetBytesMin = 192

/** Returns the bytes of a committed offset. All offsets of a topic share its name. */
export const offsetBytes = ({ metadata }: { readonly metadata: string }): number => offsetBytesMin + textBytes(metadata)
