import { errorCode as codeOf } from "../../../domain/kernel/error-code.ts"
import { CreateDelegationToken } from "../../protocol/message/38-create-delegation-token.ts"
import { RenewDelegationToken } from "../../protocol/message/39-renew-delegation-token.ts"
import { ExpireDelegationToken } from "../../protocol/message/40-expire-delegation-token.ts"
import { DescribeDelegationToken } from "../../protocol/message/41-describe-delegation-token.ts"
import { noBytes } from "../../protocol/type/wire.ts"
import { type Route, route } from "../../wire/route.ts"

const errorCode = codeOf("DELEGATION_TOKEN_REQUEST_NOT_ALLOWED")
/** The principal of every client of a PLAINTEXT listener. */
const anonymous = { type: "User", name: "ANONYMOUS" }
const never = -1n
const refused = { errorCode, expiryTimestampMs: never }

/** The requests of delegation tokens (KIP-48) on a PLAINTEXT listener: DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, as Kafka answers a client that is not authenticated. */
export const delegationTokenRoutes: ReadonlyArray<Route> = [
  route(CreateDelegationToken, {}, ({ ownerPrincipalName, ownerPrincipalType }, { version }) => {
    const forAnother = ownerPrincipalName !== null && ownerPrincipalName !== ""
    const requester = version < 3 ? {} : { tokenRequesterPrincipalType: anonymous.type, tokenRequesterPrincipalName: anonymous.name }
    return {
      ...refused,
      principalType: forAnother ? (ownerPrincipalType ?? anonymous.type) : anonymous.type,
      principalName: forAnother ? ownerPrincipalName : anonymous.name,
      ...requester,
      issueTimestampMs: never,
      maxTimestampMs: never,
      tokenId: "",
      hmac: noBytes
    }
  }),
  route(RenewDelegationToken, {}, () => refused),
  route(ExpireDelegationToken, {}, () => refused),
  route(DescribeDelegationToken, {}, () => ({ errorCode, tokens: [] }))
]
