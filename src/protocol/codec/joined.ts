/** One array of all chunks, for messages that are not sent on their own. A single chunk is handed on as it is, several are copied. */
export const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array => {
  const only = chunks[0]
  if (only !== undefined && chunks.length === 1) return only
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}
