/**
 * A value that has no form on the wire in this version: a number outside its type, a null where none may stand, a version outside the API's range,
 * or a value in a field that the version does not carry and that must not be lost. A fault of the caller, so it is thrown; Kafka's name for the last two is UNSUPPORTED_VERSION.
 */
export class EncodeError extends Error {
  readonly _tag = "EncodeError"
  constructor(
    /** The path of the field, as `topics[3].name`. */
    readonly field: string,
    readonly reason: string
  ) {
    super(field === "" ? reason : `${field}: ${reason}`)
    this.name = "EncodeError"
  }
}
