/** A running hash over lines of text, 2 x 32 bits (FNV-1a and a variant of it): two runs that give the same one have said the same lines. */
export class Fingerprint {
  private low = 0x811c9dc5
  private high = 0x01234567
  private lines = 0

  add(line: string): void {
    this.lines++
    let { low, high } = this
    for (let at = 0; at < line.length; at++) {
      const code = line.charCodeAt(at)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code ^ (low >>> 24), 0x85ebca6b)
    }
    this.low = Math.imul(low ^ 10, 0x01000193)
    this.high = Math.imul(high ^ 10, 0x85ebca6b)
  }
  get text(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0")
    return `${hex(this.low)}${hex(this.high)}`
  }
  get count(): number {
    return this.lines
  }
}

export const fingerprintOf = (text: string): string => {
  const print = new Fingerprint()
  print.add(text)
  return print.text
}
