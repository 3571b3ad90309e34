#include "api/index_align.h"
#include "api/membership.h"
#include "api/ops/index_define.h"
#include "api/ops/policy.h"
#include "api/ops/table_describe.h"
#include "api/ops/table_settings.h"
#include "api/ops/tags.h"
#include "api/ops/throughput.h"

#define RESERVED_PREFIX "tidemark."
#define UNITS_MAX 1000000000000

static const char *const key_types[] = {"HASH", "RANGE", NULL};

static const struct param key_shape[] = {
    {.name = "AttributeName", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .min = 1, .max = 255},
    {.name = "KeyType", .type = PARAM_STRING, .flags = PARAM_REQUIRED, .values = key_types},
    PARAMS_END,
};
static const struct param key_element = {
    .name = "", .type = PARAM_STRUCT, .members = key_shape, .java = "KeySchemaElement"};

static const struct param shape[] = {
    {.name = "AttributeDefinitions",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.members = &index_attributes_element},
    PARAM_TABLE,
    {.name = "KeySchema",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = 2,
	.members = &key_element},
    {.name = "GlobalSecondaryIndexes", .type = PARAM_LIST, .members = &index_global_element},
    {.name = "LocalSecondaryIndexes", .type = PARAM_LIST, .members = &index_local_element},
    {.name = "BillingMode", .type = PARAM_STRING, .values = table_billing_modes},
    {.name = "ProvisionedThroughput",
	.type = PARAM_STRUCT,
	.members = table_throughput_shape,
	.java = "ProvisionedThroughput"},
    {.name = "StreamSpecification",
	.type = PARAM_STRUCT,
	.members = table_stream_shape,
	.java = "StreamSpecification"},
    {.name = "SSESpecification",
	.type = PARAM_STRUCT,
	.members = table_sse_shape,
	.java = "SSESpecification"},
    {.name = "Tags", .type = PARAM_LIST, .members = &tags_element},
    {.name = "TableClass", .type = PARAM_STRING},
    {.name = "DeletionProtectionEnabled", .type = PARAM_BOOLEAN},
    {.name = "WarmThroughput", .type = PARAM_STRUCT, .members = table_warm_shape, .java = "WarmThroughput"},
    {.name = "ResourcePolicy", .type = PARAM_STRING},
    {.name = "OnDemandThroughput",
	.type = PARAM_STRUCT,
	.members = table_maximum_shape,
	.java = "OnDemandThroughput"},
    {.name = "GlobalTableSourceArn", .flags = PARAM_REFUSED},
    {.name = "GlobalTableSettingsReplicationMode", .flags = PARAM_REFUSED},
    {.name = "VectorIndexes", .flags = PARAM_REFUSED},
    PARAMS_END,
};

struct create {
	struct commit_op op;
	struct request *request;
	struct table *table;
};

/* --- what the request says --- */

static tide_err
read_throughput(const struct json *body, struct table *table, uint64_t now_ms, struct tide_error *error)
{
	const struct json *units = json_get(body, "ProvisionedThroughput");
	int64_t read, write;

	table->on_demand = bytes_is(params_string(body, "BillingMode"), "PAY_PER_REQUEST");
	if (table->on_demand) {
		table->on_demand_since_ms = now_ms;
		if (units != NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "One or more parameter values were invalid: Neither ReadCapacityUnits nor "
			    "WriteCapacityUnits can be "
			    "specified when BillingMode is PAY_PER_REQUEST");
		return TIDE_OK;
	}
	if (units == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits "
		    "must both be specified "
		    "when BillingMode is PROVISIONED");
	read = params_number(units, "ReadCapacityUnits", 0);
	write = params_number(units, "WriteCapacityUnits", 0);
	if (read > UNITS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Given value %lld for ReadCapacityUnits is out of bounds", (long long)read);
	if (write > UNITS_MAX)
		return tide_fail(error, TIDE_VALIDATION,
		    "Given value %lld for WriteCapacityUnits is out of bounds", (long long)write);
	table->read_units = (uint64_t)read;
	table->write_units = (uint64_t)write;
	return TIDE_OK;
}

static tide_err
read_keys(const struct json *keys, const struct index_attributes *attributes, bool indexes,
    struct table *table, struct tide_error *error)
{
	const struct key_attribute *found[2] = {NULL, NULL};
	struct bytes names[2] = {BYTES_NONE, BYTES_NONE};

	for (uint32_t i = 0; i < keys->array.n; i++) {
		names[i] = params_string(&keys->array.at[i], "AttributeName");
		if (!bytes_is(params_string(&keys->array.at[i], "KeyType"), i == 0 ? "HASH" : "RANGE"))
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid KeySchema: The %s KeySchemaElement is not a %s key type",
			    i == 0 ? "first" : "second", i == 0 ? "HASH" : "RANGE");
	}
	if (keys->array.n == 2 && bytes_equal(names[0], names[1]))
		return tide_fail(error, TIDE_VALIDATION,
		    "Both the Hash Key and the Range Key element in the KeySchema have the same name");
	for (uint32_t i = 0; i < keys->array.n; i++) {
		if ((found[i] = index_attribute_find(attributes, names[i])) == NULL)
			return tide_fail(error, TIDE_VALIDATION,
			    "Invalid KeySchema: Some index key attribute have no definition");
	}
	if (!indexes && attributes->n != keys->array.n)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Number of attributes in KeySchema does not "
		    "exactly match number of "
		    "attributes defined in AttributeDefinitions");
	table->partition = *found[0];
	table->has_sort = keys->array.n == 2;
	if (table->has_sort)
		table->sort = *found[1];
	return TIDE_OK;
}

static tide_err
read_schema(const struct json *body, struct table *table, uint64_t now_ms, struct tide_error *error)
{
	bool indexes = json_get(body, "LocalSecondaryIndexes") != NULL ||
		       json_get(body, "GlobalSecondaryIndexes") != NULL;
	struct index_attributes attributes;
	tide_err rc;

	rc = index_attributes_read(&table->arena, json_get(body, "AttributeDefinitions"), &attributes, error);
	if (rc == TIDE_OK)
		rc = read_keys(json_get(body, "KeySchema"), &attributes, indexes, table, error);
	return rc == TIDE_OK ? index_define_all(table, body, &attributes, now_ms, error) : rc;
}

static tide_err
read_stream(const struct json *body, struct table *table, uint64_t now_ms, struct tide_error *error)
{
	const struct json *stream = json_get(body, "StreamSpecification");
	struct bytes name = stream == NULL ? BYTES_NONE : params_string(stream, "StreamViewType");
	bool enabled = stream != NULL && params_flag(stream, "StreamEnabled", false);
	enum stream_view view;

	if (stream == NULL || (!enabled && name.n == 0))
		return TIDE_OK;
	if (!enabled)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Table is being created with a stream "
		    "disabled, UpdateViewType should "
		    "not be specified");
	if (!stream_view_parse(name, &view) || view == STREAM_NONE)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: Table is being created with a stream "
		    "enabled, UpdateViewType is "
		    "required");
	table_stream_start(table, view, now_ms);
	return TIDE_OK;
}

static tide_err
read_tags(const struct json *body, struct table *table, struct tide_error *error)
{
	const struct json *tags = json_get(body, "Tags");
	tide_err rc;

	if (tags == NULL)
		return TIDE_OK;
	return (rc = tags_check(tags, error)) == TIDE_OK ? tags_merge(table, tags, error) : rc;
}

static tide_err
read_policy(const struct json *body, struct table *table, uint64_t now_ms, struct tide_error *error)
{
	const struct json *policy = json_get(body, "ResourcePolicy");

	if (policy == NULL)
		return TIDE_OK;
	table->policy_revision = now_ms;
	return policy_read(&table->arena, policy->text, &table->policy, error);
}

static tide_err
read_request(struct region *region, const struct json *body, struct table *table, struct tide_error *error)
{
	uint64_t now_ms = table_now_ms(region);
	struct table_asked asked;
	struct bytes name;
	tide_err rc;

	if ((rc = ops_table_name(region, params_string(body, "TableName"), &name, error)) != TIDE_OK)
		return rc;
	if (name.n >= strlen(RESERVED_PREFIX) &&
	    memcmp(name.at, RESERVED_PREFIX, strlen(RESERVED_PREFIX)) == 0)
		return tide_fail(error, TIDE_VALIDATION,
		    "One or more parameter values were invalid: table names that begin with '" RESERVED_PREFIX
		    "' are reserved");
	memcpy(table->name, name.at, name.n);
	if ((rc = read_throughput(body, table, now_ms, error)) != TIDE_OK ||
	    (rc = read_schema(body, table, now_ms, error)) != TIDE_OK ||
	    (rc = read_stream(body, table, now_ms, error)) != TIDE_OK ||
	    (rc = table_asked_read(region, body, &asked, error)) != TIDE_OK ||
	    (rc = table_asked_create(table, &asked, now_ms, error)) != TIDE_OK ||
	    (rc = read_tags(body, table, error)) != TIDE_OK ||
	    (rc = read_policy(body, table, now_ms, error)) != TIDE_OK)
		return rc;
	rc = throughput_check(region, (struct throughput){table->read_units, table->write_units}, error);
	if (rc != TIDE_OK)
		return rc;
	table->deletion_protection = params_flag(body, "DeletionProtectionEnabled", false);
	table->created_ms = now_ms;
	table->status = TABLE_ACTIVE;
	table->here = true;
	return (rc = table_new_id(&table->id)) == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* --- the commit --- */

static tide_err
create_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct create *create = (struct create *)op;
	tide_err rc;

	if ((rc = catalog_write_new(create->request->region->catalog, group, create->table, error)) !=
	    TIDE_OK)
		return rc;
	rc = group_table_state(group, create->table->id, REPLICA_ACTIVE);
	if (rc == TIDE_OK)
		rc = index_align_group(group, create->table);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static void
create_done(struct commit_op *op, const struct tide_error *error)
{
	struct create *create = (struct create *)op;
	struct request *request = create->request;
	struct table_sight sight = {.status = TABLE_CREATING};

	if (error->code != TIDE_OK) {
		table_release(create->table);
		request_fail(request, error, NULL);
		return;
	}
	buf_append_string(&request->reply, "{\"TableDescription\":");
	table_describe(&request->reply, &request->region->config, create->table, &sight);
	buf_append_byte(&request->reply, '}');
	table_release(create->table);
	if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
op_create_table(struct request *request)
{
	struct region *region = request->region;
	struct create *create;
	struct tide_error error;
	tide_err rc;

	if (!ops_check(request, shape))
		return;
	if ((create = arena_calloc(&request->arena, sizeof *create)) == NULL ||
	    (create->table = table_new()) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	create->request = request;
	create->op.run = create_run;
	create->op.done = create_done;
	rc = read_request(region, &request->body, create->table, &error);
	if (rc == TIDE_OK && !region_may_write(region))
		rc = tide_fail(&error, TIDE_UNAVAILABLE, NULL);
	if (rc == TIDE_OK && (rc = committer_submit(region->committer, &create->op)) != TIDE_OK)
		tide_fail(&error, rc, NULL);
	if (rc != TIDE_OK) {
		table_release(create->table);
		request_fail(request, &error, NULL);
	}
}
