import { errorCode } from "../../../domain/kernel/error-code.ts"
import { DescribeAcls } from "../../protocol/message/29-describe-acls.ts"
import { CreateAcls } from "../../protocol/message/30-create-acls.ts"
import { DeleteAcls } from "../../protocol/message/31-delete-acls.ts"
import { type Route, route } from "../../wire/route.ts"

const disabled = {
  errorCode: errorCode("SECURITY_DISABLED"),
  errorMessage: "No authorizer is configured: this cluster has no ACLs, and every client may do everything."
}
const result = { ...disabled, matchingAcls: [] }

/** DescribeAcls, CreateAcls and DeleteAcls 1-3: SECURITY_DISABLED for each ACL or filter, as Kafka answers without an authorizer. */
export const aclRoutes: ReadonlyArray<Route> = [
  route(DescribeAcls, {}, () => ({ ...disabled, resources: [] })),
  route(CreateAcls, {}, ({ creations }) => ({ results: creations.map(() => disabled) })),
  route(DeleteAcls, {}, ({ filters }) => ({ filterResults: filters.map(() => result) }))
]
