#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "api/ops/table_describe.h"

static struct key_attribute attributes[] = {
    {BYTES_LITERAL("pk"), VALUE_S},
    {BYTES_LITERAL("sort \"key\""), VALUE_N},
};

static const struct config config = {.region = "aa-1", .account = "123456789012"};

static struct table
described(void)
{
	struct table t = {.id = 0x0123456789abcdef,
	    .name = "music",
	    .created_ms = 1700000000042,
	    .read_units = 5,
	    .write_units = 6,
	    .attributes = attributes,
	    .n_attributes = 2,
	    .has_sort = true};

	t.partition = attributes[0];
	t.sort = attributes[1];
	return t;
}

static void
assert_described(const struct table *table, const struct table_sight *sight, const char *expected)
{
	struct buf out = {0};

	table_describe(&out, &config, table, sight);
	buf_append_byte(&out, 0);
	assert_int_equal(buf_check(&out), TIDE_OK);
	assert_string_equal((const char *)out.at, expected);
	buf_fini(&out);
}

static void
a_regional_table_shows_what_aws_always_sends_and_no_more(void **state)
{
	struct table t = described();
	struct table_sight sight = {TABLE_ACTIVE, 3, 456};

	(void)state;
	assert_described(&t, &sight,
	    "{\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
	    "{\"AttributeName\":\"sort \\\"key\\\"\",\"AttributeType\":\"N\"}],"
	    "\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},{\"AttributeName\":\"sort "
	    "\\\"key\\\"\",\"KeyType\":\"RANGE\"}],"
	    "\"TableName\":\"music\",\"TableStatus\":\"ACTIVE\",\"CreationDateTime\":1700000000.042,"
	    "\"ProvisionedThroughput\":{\"NumberOfDecreasesToday\":0,\"ReadCapacityUnits\":5,"
	    "\"WriteCapacityUnits\":6},"
	    "\"TableSizeBytes\":456,\"ItemCount\":3,\"TableArn\":\"arn:aws:dynamodb:aa-1:123456789012:table/"
	    "music\","
	    "\"TableId\":\"01234567-89ab-cdef-157a-3807a48faa9d\",\"DeletionProtectionEnabled\":false,"
	    "\"WarmThroughput\":{\"ReadUnitsPerSecond\":5,\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":6}}");
}

static void
a_replica_lists_the_others_and_never_itself(void **state)
{
	struct replica replicas[] = {
	    {.region = "aa-1", .status = TABLE_ACTIVE},
	    {.region = "bb-2", .status = TABLE_CREATING, .percent = 40},
	    {.region = "cc-3", .status = TABLE_DELETING},
	};
	struct table t = described();
	struct table_sight sight = {.status = TABLE_UPDATING};
	struct buf out = {0};
	const char *at;

	(void)state;
	t.replicas = replicas;
	t.n_replicas = 3;
	t.global = t.on_demand = true;
	t.on_demand_since_ms = 1700000000042;
	t.stream = STREAM_NEW_AND_OLD_IMAGES;
	snprintf(t.stream_label, sizeof t.stream_label, "2023-11-14T22:13:20.042");
	table_describe(&out, &config, &t, &sight);
	buf_append_byte(&out, 0);
	at = strstr((const char *)out.at, ",\"StreamSpecification\"");
	assert_non_null(at);
	assert_string_equal(at,
	    ",\"StreamSpecification\":{\"StreamEnabled\":true,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"},"
	    "\"LatestStreamLabel\":\"2023-11-14T22:13:20.042\","
	    "\"LatestStreamArn\":\"arn:aws:dynamodb:aa-1:123456789012:table/music/stream/"
	    "2023-11-14T22:13:20.042\","
	    "\"GlobalTableVersion\":\"2019.11.21\",\"Replicas\":["
	    "{\"RegionName\":\"bb-2\",\"ReplicaStatus\":\"CREATING\",\"ReplicaArn\":\"arn:aws:dynamodb:bb-2:"
	    "123456789012:table/music\","
	    "\"ReplicaStatusPercentProgress\":\"40\"},"
	    "{\"RegionName\":\"cc-3\",\"ReplicaStatus\":\"DELETING\",\"ReplicaArn\":\"arn:aws:dynamodb:cc-3:"
	    "123456789012:table/music\"}],"
	    "\"GlobalTableSettingsReplicationMode\":\"ENABLED_WITH_OVERRIDES\","
	    "\"DeletionProtectionEnabled\":false,"
	    "\"WarmThroughput\":{\"ReadUnitsPerSecond\":12000,\"Status\":\"ACTIVE\",\"WriteUnitsPerSecond\":"
	    "4000}}");
	assert_non_null(
	    strstr((const char *)out.at, "\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\","
					 "\"LastUpdateToPayPerRequestDateTime\":1700000000.042}"));
	assert_null(strstr((const char *)out.at, "\"RegionName\":\"aa-1\""));
	buf_fini(&out);
}

static void
the_last_replica_looks_like_a_regional_table(void **state)
{
	struct replica self = {.region = "aa-1", .status = TABLE_ACTIVE};
	struct table t = described();
	struct table_sight sight = {.status = TABLE_ACTIVE};
	struct buf out = {0};

	(void)state;
	t.replicas = &self;
	t.n_replicas = 1;
	t.global = true;
	table_describe(&out, &config, &t, &sight);
	buf_append_byte(&out, 0);
	assert_null(strstr((const char *)out.at, "Replicas"));
	assert_null(strstr((const char *)out.at, "GlobalTableVersion"));
	buf_fini(&out);
}

static void
every_operation_of_the_api_is_known(void **state)
{
	static const char *const names[] = {"BatchExecuteStatement", "CreateTable", "DescribeLimits",
	    "GetRecords", "PutItem", "Scan", "UpdateTimeToLive"};

	(void)state;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		const struct operation *operation = operation_find(bytes_of_string(names[i]));

		assert_non_null(operation);
		assert_string_equal(operation->name, names[i]);
	}
	assert_null(operation_find(BYTES_LITERAL("MakeCoffee")));
	assert_null(operation_find(BYTES_LITERAL("PutItems")));
	assert_null(operation_find(BYTES_NONE));
}

/* The HTTP front's part, which no test here reaches. */
void
request_ok(struct request *request)
{
	(void)request;
	fail();
}

void
request_fail(struct request *request, const struct tide_error *error, const char *members)
{
	(void)request;
	(void)error;
	(void)members;
	fail();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_regional_table_shows_what_aws_always_sends_and_no_more),
	    cmocka_unit_test(a_replica_lists_the_others_and_never_itself),
	    cmocka_unit_test(the_last_replica_looks_like_a_regional_table),
	    cmocka_unit_test(every_operation_of_the_api_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
