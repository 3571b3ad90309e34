/* STS as far as clients of DynamoDB ask it: Terraform builds ARNs with the account number. */
#include <sys/random.h>

#include "api/ops/ops.h"

/* The answer is XML: the query protocol. Who signs is not looked at here, so the caller is the account's root. */
void
op_sts_get_caller_identity(struct request *request)
{
	const char *account = request->region->config.account;
	uint64_t id[2] = {0};

	/* An id only has to differ; without a random source it does not. */
	if (getrandom(id, sizeof id, GRND_NONBLOCK) != (ssize_t)sizeof id)
		id[0] = 0;
	buf_append_format(&request->reply,
	    "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
	    "  <GetCallerIdentityResult>\n"
	    "    <Arn>arn:aws:iam::%s:root</Arn>\n"
	    "    <UserId>%s</UserId>\n"
	    "    <Account>%s</Account>\n"
	    "  </GetCallerIdentityResult>\n",
	    account, account, account);
	buf_append_format(&request->reply,
	    "  <ResponseMetadata>\n"
	    "    <RequestId>%08x-%04x-4%03x-8%03x-%012llx</RequestId>\n"
	    "  </ResponseMetadata>\n"
	    "</GetCallerIdentityResponse>\n",
	    (unsigned)(id[0] >> 32), (unsigned)(id[0] >> 16 & 0xffff), (unsigned)(id[0] & 0xfff),
	    (unsigned)(id[1] >> 48 & 0xfff), (unsigned long long)(id[1] & 0xffffffffffffu));
	request_ok(request);
}
