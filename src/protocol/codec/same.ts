/** Whether a drafted value is the default: equal by value, where a struct's missing field counts as its default. */
export const isSame = (value: unknown, absent: unknown): boolean => {
  if (value === absent) return true
  if (typeof value !== "object" || typeof absent !== "object" || value === null || absent === null) return false
  if (value instanceof Uint8Array) return absent instanceof Uint8Array && value.length === absent.length && value.every((byte, index) => byte === absent[index])
  if (Array.isArray(value)) return Array.isArray(absent) && value.length === absent.length && value.every((element, index) => isSame(element, absent[index]))
  const defaults = absent as Readonly<Record<string, unknown>>
  return Object.entries(value).every(([name, field]) => field === undefined || isSame(field, defaults[name]))
}
