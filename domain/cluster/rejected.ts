import { Either } from "effect"
import type { KafkaError, Rejection } from "../kernel/error-code.ts"

export const rejected = (error: KafkaError, message: string): Either.Either<never, Rejection> => Either.left({ error, message })
