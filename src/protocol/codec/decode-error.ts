/** Bytes that are not what they claim to be. The only way in which a decode fails. */
export class DecodeError extends Error {
  readonly _tag = "DecodeError"
  constructor(
    /** The byte, counted from the start of the array that was decoded, where reading stopped. */
    readonly position: number,
    /** The path of the field, as `topics[3].partitions[0].records`; empty where no field had begun. */
    readonly field: string,
    readonly reason: string,
    /** "elements": the bytes may be right, and are more elements than the message may have. */
    readonly kind: "malformed" | "elements" = "malformed"
  ) {
    super(field === "" ? `${reason} (byte ${position})` : `${field}: ${reason} (byte ${position})`)
    this.name = "DecodeError"
  }
}
