#include "api/ops/resource_arn.h"

#include "api/ops/table_describe.h"

#define INVALID "One or more parameter values were invalid: "

#define ARN_FIELDS 6 /* arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; the last may hold colons */

static bool
split(struct bytes text, struct bytes fields[ARN_FIELDS])
{
	for (int i = 0; i < ARN_FIELDS - 1; i++) {
		const uint8_t *colon = text.n == 0 ? NULL : memchr(text.at, ':', text.n);

		if (colon == NULL)
			return false;
		fields[i] = bytes_of(text.at, (size_t)(colon - text.at));
		text = bytes_of(colon + 1, text.n - fields[i].n - 1);
	}
	fields[ARN_FIELDS - 1] = text;
	return true;
}

static bool
take(struct bytes *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (text->n < n || memcmp(text->at, prefix, n) != 0)
		return false;
	*text = bytes_of(text->at + n, text->n - n);
	return true;
}

/* What follows the account: `table/NAME`, or something of a table. */
static tide_err
read_resource(struct bytes resource, struct bytes arn, struct bytes *name, struct tide_error *error)
{
	const uint8_t *slash;
	struct bytes rest;

	if (!take(&resource, "table/") || resource.n == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Provided Arn is not a DynamoDB resource arn: %.*s", (int)arn.n,
		    (const char *)arn.at);
	*name = resource;
	if ((slash = memchr(resource.at, '/', resource.n)) == NULL)
		return TIDE_OK;
	*name = bytes_of(resource.at, (size_t)(slash - resource.at));
	rest = bytes_of(slash + 1, resource.n - name->n - 1);
	if (take(&rest, "stream/"))
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND,
		    "Requested resource not found: Stream: %.*s not found for Table: %.*s", (int)rest.n,
		    (const char *)rest.at, (int)name->n, (const char *)name->at);
	if (take(&rest, "index/"))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Invalid resource arn provided, only table or stream is accepted. Provided "
			    "resource arn: %.*s",
		    (int)arn.n, (const char *)arn.at);
	return tide_fail(error, TIDE_VALIDATION, INVALID "Provided Arn is not a DynamoDB resource arn: %.*s",
	    (int)arn.n, (const char *)arn.at);
}

static tide_err
read_arn(struct region *region, struct bytes arn, enum resource_family family, struct bytes *name,
    struct tide_error *error)
{
	const struct config *config = &region->config;
	struct bytes fields[ARN_FIELDS], rest = arn;
	int n = (int)arn.n;
	const char *at = (const char *)arn.at;

	if (!take(&rest, "arn:"))
		return tide_fail(error, TIDE_VALIDATION, INVALID "ARNs must start with 'arn:': %.*s", n, at);
	if (!split(arn, fields) || !bytes_is(fields[2], "dynamodb"))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Provided Arn is not a DynamoDB resource arn: %.*s", n, at);
	if (!bytes_is(fields[1], "aws") || !bytes_is(fields[3], config->region)) {
		if (family == RESOURCE_TAGS)
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid TableArn: Invalid ResourceArn provided as input %.*s", n, at);
		return tide_fail(error, TIDE_VALIDATION, INVALID "Invalid resource Arn: %.*s", n, at);
	}
	if (!bytes_is(fields[4], config->account))
		return tide_fail(error, TIDE_VALIDATION,
		    "This action is only supported by accounts that match the resource owner’s account.");
	return read_resource(fields[5], arn, name, error);
}

const struct table *
resource_table(
    struct region *region, const struct json *body, enum resource_family family, struct tide_error *error)
{
	struct bytes arn = params_string(body, "ResourceArn"), name;
	const struct table *table;

	if (read_arn(region, arn, family, &name, error) != TIDE_OK)
		return NULL;
	if ((table = catalog_find(region->catalog, name)) != NULL)
		return table;
	if (family == RESOURCE_POLICY)
		table_not_found(name, error);
	else
		tide_fail(error, TIDE_RESOURCE_NOT_FOUND,
		    "Requested resource not found: ResourceArn: %.*s not found", (int)arn.n,
		    (const char *)arn.at);
	return NULL;
}
