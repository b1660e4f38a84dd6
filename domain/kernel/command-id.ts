/**
 * The tag of an unknown tagged field in a request header ("FC") under which a client may send its own command id, as
 * UTF-8 text. A client that repeats a request after a lost response sends the same id, and gets the first response
 * (M4). Brokers that do not know the tag ignore it (KIP-482).
 */
export const commandIdTag = 0x4643

/** Bytes that a client's command id may have; a longer one is ignored. */
export const commandIdBytesMax = 128
