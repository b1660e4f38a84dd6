/** Exchanges a method of a class. `make` gets the real one; the returned function puts it back. */
export const exchanged = <T extends object, K extends keyof T>(prototype: T, name: K, make: (real: T[K]) => T[K]): (() => void) => {
  const real = Object.getOwnPropertyDescriptor(prototype, name) as PropertyDescriptor
  Object.defineProperty(prototype, name, { ...real, value: make(real.value as T[K]) })
  return () => void Object.defineProperty(prototype, name, real)
}
