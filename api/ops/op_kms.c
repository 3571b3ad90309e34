/* KMS as far as clients of DynamoDB ask it: Terraform compares a table's key with what DescribeKey tells. */
#include "api/ops/ops.h"
#include "api/ops/table_settings.h"

#define ID_LENGTH 36 /* a key's id, at the end of its ARN */

static const struct param shape[] = {
    {.name = "KeyId", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 2048},
    PARAMS_END,
};

static bool
take(struct bytes *text, const char *prefix)
{
	size_t n = strlen(prefix);

	if (text->n < n || memcmp(text->at, prefix, n) != 0)
		return false;
	*text = bytes_of(text->at + n, text->n - n);
	return true;
}

/* "arn:aws:kms:REGION:ACCOUNT:" of this region before the rest, or nothing. */
static void
take_arn(struct bytes *text, const struct config *config)
{
	struct bytes rest = *text;

	if (take(&rest, "arn:aws:kms:") && take(&rest, config->region) && take(&rest, ":") &&
	    take(&rest, config->account) && take(&rest, ":"))
		*text = rest;
}

static void
fail_not_found(struct request *request, struct bytes key)
{
	const struct config *config = &request->region->config;
	struct bytes rest = key;
	int n;

	take_arn(&rest, config);
	n = (int)rest.n;
	if (n >= 6 && memcmp(rest.at, "alias/", 6) == 0)
		ops_fail(request, TIDE_KEY_NOT_FOUND, "Alias arn:aws:kms:%s:%s:%.*s is not found.",
		    config->region, config->account, n, (const char *)rest.at);
	else if (take(&rest, "key/") || !take(&rest, "arn:"))
		ops_fail(request, TIDE_KEY_NOT_FOUND, "Key 'arn:aws:kms:%s:%s:key/%.*s' does not exist",
		    config->region, config->account, (int)rest.n, (const char *)rest.at);
	else
		ops_fail(request, TIDE_KEY_NOT_FOUND, "Invalid arn %.*s", (int)key.n, (const char *)key.at);
}

/* There is one key, alias/aws/dynamodb, by any of its names. */
void
op_kms_describe_key(struct request *request)
{
	const struct config *config = &request->region->config;
	struct buf arn = {0};
	struct bytes key, rest, id;

	if (!ops_check(request, shape))
		return;
	table_default_key_arn(&arn, config);
	if (buf_check(&arn) != TIDE_OK) {
		buf_fini(&arn);
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	id = bytes_of(arn.at + arn.n - ID_LENGTH, ID_LENGTH);
	key = rest = params_string(&request->body, "KeyId");
	take_arn(&rest, config);
	if (!bytes_is(rest, "alias/aws/dynamodb") && !bytes_equal(key, id) &&
	    !(take(&rest, "key/") && bytes_equal(rest, id))) {
		buf_fini(&arn);
		fail_not_found(request, key);
		return;
	}
	buf_append_format(&request->reply,
	    "{\"KeyMetadata\":{\"AWSAccountId\":\"%s\",\"KeyId\":\"%.*s\",\"Arn\":\"%.*s\"", config->account,
	    (int)id.n, (const char *)id.at, (int)arn.n, (const char *)arn.at);
	buf_append_string(&request->reply,
	    ",\"CreationDate\":1483228800.0,\"Enabled\":true,"
	    "\"Description\":\"Default key that protects my DynamoDB data when no other key is defined\","
	    "\"KeyUsage\":\"ENCRYPT_DECRYPT\",\"KeyState\":\"Enabled\",\"Origin\":\"AWS_KMS\","
	    "\"KeyManager\":\"AWS\",\"CustomerMasterKeySpec\":\"SYMMETRIC_DEFAULT\","
	    "\"KeySpec\":\"SYMMETRIC_DEFAULT\",\"EncryptionAlgorithms\":[\"SYMMETRIC_DEFAULT\"],"
	    "\"MultiRegion\":false}}");
	buf_fini(&arn);
	request_ok(request);
}
