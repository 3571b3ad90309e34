#include "api/ops/table_settings.h"

#include <stdio.h>
#include <time.h>

static const char *const views[] = {"NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES", "KEYS_ONLY", NULL};
const char *const table_billing_modes[] = {"PROVISIONED", "PAY_PER_REQUEST", NULL};
static const char *const sse_types[] = {"AES256", "KMS", NULL};

const struct param table_throughput_shape[] = {
    {.name = "ReadCapacityUnits", .type = PARAM_LONG, .flags = PARAM_REQUIRED, .min = 1},
    {.name = "WriteCapacityUnits", .type = PARAM_LONG, .flags = PARAM_REQUIRED, .min = 1},
    PARAMS_END,
};

const struct param table_stream_shape[] = {
    {.name = "StreamEnabled", .type = PARAM_BOOLEAN, .flags = PARAM_REQUIRED},
    {.name = "StreamViewType", .type = PARAM_STRING, .values = views},
    PARAMS_END,
};

const struct param table_sse_shape[] = {
    {.name = "Enabled", .type = PARAM_BOOLEAN},
    {.name = "SSEType", .type = PARAM_STRING, .values = sse_types},
    {.name = "KMSMasterKeyId", .type = PARAM_STRING},
    PARAMS_END,
};

const struct param table_maximum_shape[] = {
    {.name = "MaxReadRequestUnits", .type = PARAM_LONG},
    {.name = "MaxWriteRequestUnits", .type = PARAM_LONG},
    PARAMS_END,
};

const struct param table_warm_shape[] = {
    {.name = "ReadUnitsPerSecond", .type = PARAM_LONG},
    {.name = "WriteUnitsPerSecond", .type = PARAM_LONG},
    PARAMS_END,
};

#define INVALID "One or more parameter values were invalid: "

/* What on-demand tables start with at AWS. */
#define ON_DEMAND_READ 12000
#define ON_DEMAND_WRITE 4000

static uint64_t
greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

uint64_t
table_warm_read(const struct table *table)
{
	return greater(table->warm_read_units, table->on_demand ? ON_DEMAND_READ : table->read_units);
}

uint64_t
table_warm_write(const struct table *table)
{
	return greater(table->warm_write_units, table->on_demand ? ON_DEMAND_WRITE : table->write_units);
}

/* One key for all tables of a region and account. */
void
table_default_key_arn(struct buf *out, const struct config *config)
{
	uint64_t id = 0xcbf29ce484222325u;

	for (const char *c = config->region; *c != 0; c++)
		id = (id ^ (uint8_t)*c) * 0x100000001b3u;
	for (const char *c = config->account; *c != 0; c++)
		id = (id ^ (uint8_t)*c) * 0x100000001b3u;
	buf_append_format(out, "arn:aws:kms:%s:%s:key/%08x-%04x-4000-8000-%012llx", config->region,
	    config->account, (unsigned)(id >> 32), (unsigned)(id >> 16 & 0xffff),
	    (unsigned long long)(id & 0xffffffffffffu));
}

/* --- reading --- */

static tide_err
read_class(const struct json *body, struct table_asked *out, struct tide_error *error)
{
	const struct json *class = json_get(body, "TableClass");

	if (class == NULL)
		return TIDE_OK;
	out->sets_class = true;
	out->infrequent = bytes_is(class->text, "STANDARD_INFREQUENT_ACCESS");
	if (!out->infrequent && !bytes_is(class->text, "STANDARD"))
		return tide_fail(error, TIDE_VALIDATION,
		    "Invalid table-class parameter provided. Please try again with a valid table-class "
		    "value: [STANDARD, STANDARD_INFREQUENT_ACCESS].");
	return TIDE_OK;
}

#define KMS_NOT_FOUND "KMS validation error: com.amazonaws.services.kms.model.NotFoundException: "

/* There is one key here: no other can be asked for. */
static tide_err
check_key(const struct config *config, struct bytes key, struct tide_error *error)
{
	struct buf known = {0}, alias = {0};
	bool is_alias = key.n >= 6 && memcmp(key.at, "alias/", 6) == 0, is_arn, is_known;
	tide_err rc;

	table_default_key_arn(&known, config);
	buf_append_format(&alias, "arn:aws:kms:%s:%s:alias/aws/dynamodb", config->region, config->account);
	is_arn = key.n >= 4 && memcmp(key.at, "arn:", 4) == 0;
	is_known = bytes_is(key, "alias/aws/dynamodb") || bytes_equal(key, buf_bytes(&known)) ||
		   bytes_equal(key, buf_bytes(&alias)) ||
		   (known.n >= 36 && bytes_equal(key, bytes_of(known.at + known.n - 36, 36)));
	rc = known.failed || alias.failed ? tide_fail(error, TIDE_NOMEM, NULL) : TIDE_OK;
	buf_fini(&known);
	buf_fini(&alias);
	if (rc != TIDE_OK || is_known)
		return rc;
	if (is_arn)
		return tide_fail(error, TIDE_VALIDATION, KMS_NOT_FOUND "Key '%.*s' does not exist",
		    (int)key.n, (const char *)key.at);
	return tide_fail(error, TIDE_VALIDATION,
	    is_alias ? KMS_NOT_FOUND "Alias arn:aws:kms:%s:%s:%.*s is not found."
		     : KMS_NOT_FOUND "Key 'arn:aws:kms:%s:%s:key/%.*s' does not exist",
	    config->region, config->account, (int)key.n, (const char *)key.at);
}

static tide_err
read_encryption(
    struct region *region, const struct json *body, struct table_asked *out, struct tide_error *error)
{
	const struct json *sse = json_get(body, "SSESpecification"), *enabled, *key;
	struct bytes type;

	if (sse == NULL)
		return TIDE_OK;
	enabled = json_get(sse, "Enabled");
	key = json_get(sse, "KMSMasterKeyId");
	type = params_string(sse, "SSEType");
	out->sets_encryption = true;
	out->encrypted = enabled != NULL ? enabled->type == JSON_TRUE : type.n != 0 || key != NULL;
	if (!out->encrypted && type.n != 0)
		return tide_fail(
		    error, TIDE_VALIDATION, INVALID "SSEType can not be specified if Enabled is false");
	if (!out->encrypted && key != NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "KMSMasterKeyId can not be specified if Enabled is false");
	if (bytes_is(type, "AES256"))
		return tide_fail(error, TIDE_VALIDATION, INVALID "SSEType AES256 is not supported");
	if (key != NULL && type.n == 0)
		return tide_fail(
		    error, TIDE_VALIDATION, INVALID "SSEType KMS is required if KMSMasterKeyId is specified");
	return key == NULL ? TIDE_OK : check_key(&region->config, key->text, error);
}

static tide_err
read_maximum(const struct json *body, struct table_asked *out, struct tide_error *error)
{
	const struct json *maximum = json_get(body, "OnDemandThroughput");
	static const char *const names[] = {"MaxReadRequestUnits", "MaxWriteRequestUnits"};
	int64_t *const into[] = {&out->read_max, &out->write_max};

	if (maximum == NULL)
		return TIDE_OK;
	out->sets_maximum = true;
	for (int i = 0; i < 2; i++) {
		if (json_get(maximum, names[i]) == NULL)
			continue;
		*into[i] = params_number(maximum, names[i], 0);
		if (*into[i] < 1 && *into[i] != -1)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Requested %s for OnDemandThroughput for table is outside of valid "
				    "range",
			    names[i]);
	}
	return TIDE_OK;
}

static void
read_warm(const struct json *body, struct table_asked *out)
{
	const struct json *warm = json_get(body, "WarmThroughput");

	if (warm == NULL)
		return;
	out->sets_warm = true;
	out->warm_read = params_number(warm, "ReadUnitsPerSecond", 0);
	out->warm_write = params_number(warm, "WriteUnitsPerSecond", 0);
	/* Nought is lower than anything: told apart from what was not said. */
	if (json_get(warm, "ReadUnitsPerSecond") != NULL && out->warm_read == 0)
		out->warm_read = -1;
	if (json_get(warm, "WriteUnitsPerSecond") != NULL && out->warm_write == 0)
		out->warm_write = -1;
}

tide_err
table_asked_read(
    struct region *region, const struct json *body, struct table_asked *out, struct tide_error *error)
{
	struct table_asked asked = {0};
	tide_err rc;

	if ((rc = read_class(body, &asked, error)) != TIDE_OK ||
	    (rc = read_encryption(region, body, &asked, error)) != TIDE_OK ||
	    (rc = read_maximum(body, &asked, error)) != TIDE_OK)
		return rc;
	read_warm(body, &asked);
	*out = asked;
	return TIDE_OK;
}

/* --- taking it --- */

static tide_err
take_maximum(struct table *table, const struct table_asked *asked, struct tide_error *error)
{
	if (!table->on_demand && (asked->read_max != 0 || asked->write_max != 0))
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "%s for OnDemandThroughput cannot be specified when the table BillingMode is "
			    "PROVISIONED",
		    asked->read_max != 0 ? "MaxReadRequestUnits" : "MaxWriteRequestUnits");
	if (asked->read_max != 0)
		table->read_units_max = asked->read_max > 0 ? (uint64_t)asked->read_max : 0;
	if (asked->write_max != 0)
		table->write_units_max = asked->write_max > 0 ? (uint64_t)asked->write_max : 0;
	return TIDE_OK;
}

static tide_err
take_warm(struct table *table, const struct table_asked *asked, bool create, struct tide_error *error)
{
	bool low_read = asked->warm_read != 0 && asked->warm_read < (int64_t)table_warm_read(table);
	bool low_write = asked->warm_write != 0 && asked->warm_write < (int64_t)table_warm_write(table);
	const char *which = low_read ? "ReadUnitsPerSecond" : "WriteUnitsPerSecond";

	if (low_read || low_write) {
		if (!create)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Requested %s for WarmThroughput for table is lower than current "
				    "WarmThroughput, decreasing WarmThroughput is not supported",
			    which);
		if (table->on_demand)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Requested %s for WarmThroughput for table is lower than initial "
				    "throughput for OnDemand. See: "
				    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
				    "on-demand-capacity-mode.html#on-demand-capacity-mode-initial",
			    which);
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requested %s for WarmThroughput for table is lower than %s of "
			    "ProvisionedThroughput",
		    which, low_read ? "ReadCapacityUnits" : "WriteCapacityUnits");
	}
	if (asked->warm_read > 0)
		table->warm_read_units = (uint64_t)asked->warm_read;
	if (asked->warm_write > 0)
		table->warm_write_units = (uint64_t)asked->warm_write;
	return TIDE_OK;
}

tide_err
table_asked_create(
    struct table *table, const struct table_asked *asked, uint64_t now_ms, struct tide_error *error)
{
	tide_err rc;

	table->encrypted = asked->encrypted;
	table->infrequent_access = asked->infrequent;
	table->class_changed_ms = asked->sets_class ? now_ms : 0;
	if (asked->read_max == -1 || asked->write_max == -1)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Requested %s for OnDemandThroughput for table is outside of valid range",
		    asked->read_max == -1 ? "MaxReadRequestUnits" : "MaxWriteRequestUnits");
	if ((rc = take_maximum(table, asked, error)) != TIDE_OK)
		return rc;
	return take_warm(table, asked, true, error);
}

static tide_err
apply_encryption(
    struct region *region, struct group *group, struct table *table, bool encrypted, struct tide_error *error)
{
	if (!table->encrypted && !encrypted)
		return tide_fail(error, TIDE_VALIDATION, INVALID "Table is already encrypted by default");
	if (table->encrypted && encrypted)
		return tide_fail(error, TIDE_VALIDATION,
		    INVALID "Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId "
			    "parameter if you want to change Master Key");
	table->encrypted = encrypted;
	return catalog_write_setting(region->catalog, group, table, SETTING_ENCRYPTION);
}

tide_err
table_asked_apply(struct region *region, struct group *group, struct table *table,
    const struct table_asked *asked, uint64_t now_ms, struct tide_error *error)
{
	tide_err rc = TIDE_OK;

	if (asked->sets_encryption)
		return apply_encryption(region, group, table, asked->encrypted, error);
	if (asked->sets_class) {
		/* The class that it has: nothing changes, not the time of the last change either. */
		if (table->infrequent_access == asked->infrequent)
			return TIDE_OK;
		table->infrequent_access = asked->infrequent;
		table->class_changed_ms = now_ms;
		return catalog_write_setting(region->catalog, group, table, SETTING_CLASS);
	}
	if (asked->sets_maximum && (rc = take_maximum(table, asked, error)) == TIDE_OK)
		rc = catalog_write_setting(region->catalog, group, table, SETTING_MAXIMUM);
	if (asked->sets_warm && rc == TIDE_OK && (rc = take_warm(table, asked, false, error)) == TIDE_OK)
		rc = catalog_write_setting(region->catalog, group, table, SETTING_WARM);
	return rc;
}

void
table_stream_start(struct table *table, enum stream_view view, uint64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(table->stream_label, sizeof table->stream_label, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(table->stream_label + n, sizeof table->stream_label - n, ".%03u", (unsigned)(now_ms % 1000));
	table->stream = view;
	table->stream_created_ms = now_ms;
}

uint64_t
table_now_ms(struct region *region)
{
	return shard_wall_ms(region->shard);
}
