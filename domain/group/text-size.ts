/** A text is counted as UTF-16, the most memory that it needs. */
export const textBytes = (text: string | null): number => 2 * (text?.length ?? 0)
