/* Auto scaling against a region in memory, minute by minute: what is registered by the operations changes what a table has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api/membership.h"
#include "api/meter.h"
#include "api/scaling/scaling.h"

#define NOON_MS UINT64_C(1735560000000) /* 2024-12-30T12:00:00Z */

static struct region region;
static char dir[] = "/tmp/tidemark-scaling-XXXXXX";
static uint64_t wall_ms;
static uint64_t minute;
static char answer[4096];

static uint64_t
now(void *arg)
{
	(void)arg;
	return wall_ms;
}

void
request_ok(struct request *request)
{
	snprintf(answer, sizeof answer, "%.*s", (int)request->reply.n, (const char *)request->reply.at);
}

void
request_fail(struct request *request, const struct tide_error *error, const char *members)
{
	(void)request;
	(void)members;
	snprintf(answer, sizeof answer, "%s: %.2000s", tide_err_name(error->code), error->message);
}

/* With ' for ". */
static const char *
call(void (*handle)(struct request *request), const char *body)
{
	struct request request = {.region = &region};
	struct tide_error error;
	char text[2048];
	size_t n;

	for (n = 0; body[n] != 0 && n < sizeof text - 1; n++)
		text[n] = body[n] == '\'' ? '"' : body[n];
	text[n] = 0;
	answer[0] = 0;
	arena_init(&request.arena, 0);
	assert_int_equal(json_parse(&request.arena, bytes_of_string(text), &request.body, &error), TIDE_OK);
	handle(&request);
	while (committer_step(region.committer))
		;
	arena_fini(&request.arena);
	buf_fini(&request.reply);
	assert_true(answer[0] != 0);
	return answer;
}

static int
start(void **state)
{
	struct shard_options options = {.dir = dir,
	    .kv_plugin = "memory",
	    .journal_plugin = "memory",
	    .region = 1,
	    .create = true,
	    .wall_ms = now};
	struct catalog_region regions[] = {{"us-east-1", 1}};
	struct committer_options stepped = {.stepped = true};
	struct meter_options meter = {.now_ms = now};
	struct tide_error error;

	(void)state;
	memset(&region, 0, sizeof region);
	wall_ms = NOON_MS;
	minute = 0;
	snprintf(dir, sizeof dir, "/tmp/tidemark-scaling-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(region.config.region, sizeof region.config.region, "us-east-1");
	snprintf(region.config.account, sizeof region.config.account, "000000000000");
	region.config.number = 1;
	region.config.table_units_max = 1000;
	assert_int_equal(shard_open(&options, &region.shard, &error), TIDE_OK);
	assert_int_equal(catalog_open(region.shard, regions, 1, &region.catalog, &error), TIDE_OK);
	assert_int_equal(membership_open(&region, &error), TIDE_OK);
	assert_int_equal(committer_start(region.shard, &stepped, &region.committer), TIDE_OK);
	assert_int_equal(meter_open(&meter, &region.meter), TIDE_OK);
	assert_int_equal(scaling_open(&region, &region.scaling, &error), TIDE_OK);
	assert_int_equal(membership_step(&region, &error), TIDE_OK);
	call(op_create_table,
	    "{'TableName':'orders','KeySchema':[{'AttributeName':'pk','KeyType':'HASH'}],"
	    "'AttributeDefinitions':[{'AttributeName':'pk','AttributeType':'S'},{'AttributeName':'g',"
	    "'AttributeType':'S'}],'ProvisionedThroughput':{'ReadCapacityUnits':10,'WriteCapacityUnits':10},"
	    "'GlobalSecondaryIndexes':[{'IndexName':'by_g','KeySchema':[{'AttributeName':'g','KeyType':'HASH'"
	    "}],"
	    "'Projection':{'ProjectionType':'ALL'},'ProvisionedThroughput':{'ReadCapacityUnits':10,"
	    "'WriteCapacityUnits':10}}]}");
	assert_memory_equal(answer, "{\"TableDescription\"", 19);
	return 0;
}

static int
stop(void **state)
{
	char command[128];

	(void)state;
	committer_stop(region.committer);
	scaling_close(region.scaling);
	meter_close(region.meter);
	membership_close(&region);
	catalog_close(region.catalog);
	shard_close(region.shard, false);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	return 0;
}

#define TARGET(resource, dimension)                                                                          \
	"{'ServiceNamespace':'dynamodb','ResourceId':'" resource                                             \
	"','ScalableDimension':'dynamodb:" dimension "'"

static struct throughput_units {
	uint64_t read, write, index_read, index_write;
} units;

static void
look(void)
{
	const struct table *table = catalog_find(region.catalog, BYTES_LITERAL("orders"));

	assert_non_null(table);
	units = (struct throughput_units){table->read_units, table->write_units, table->indexes[0].read_units,
	    table->indexes[0].write_units};
	table_release(table);
}

/* `n` minutes in which that much a second is consumed of the table's reads, and of the index's writes. */
static void
minutes(unsigned n, uint64_t reads, uint64_t index_writes)
{
	const struct table *table = catalog_find(region.catalog, BYTES_LITERAL("orders"));
	struct meter_resource of = {.table = table->id}, of_index = {table->id, table->indexes[0].id, {0, 0}};

	for (unsigned i = 0; i < n; i++) {
		meter_take(region.meter, &of, METER_READ, reads * 2 * 60);
		meter_take(region.meter, &of_index, METER_WRITE, index_writes * 2 * 60);
		wall_ms += 60000;
		scaling_minute(&region, wall_ms, ++minute);
		while (committer_step(region.committer))
			;
	}
	table_release(table);
	look();
}

static void
capacity_follows_consumption_out_and_in(void **state)
{
	(void)state;
	call(op_scaling_register,
	    TARGET("table/orders", "table:ReadCapacityUnits") ",'MinCapacity':5,'MaxCapacity':100}");
	assert_memory_equal(answer, "{\"ScalableTargetARN\"", 20);
	call(op_scaling_put_policy,
	    TARGET("table/orders",
		"table:ReadCapacityUnits") ",'PolicyName':'p','PolicyType':'TargetTrackingScaling','"
					   "TargetTrackingScalingPolicyConfiguration':{"
					   "'TargetValue':50.0,'PredefinedMetricSpecification':{'"
					   "PredefinedMetricType':"
					   "'DynamoDBReadCapacityUtilization'}}}");
	assert_memory_equal(answer, "{\"PolicyARN\"", 12);
	minutes(1, 0, 0); /* from where it counts */
	minutes(1, 20, 0);
	assert_int_equal(units.read, 10);
	minutes(1, 20, 0);
	assert_int_equal(units.read, 40);
	assert_int_equal(units.write, 10);
	minutes(2, 100, 0);
	assert_int_equal(units.read, 100); /* the maximum */
	minutes(14, 2, 0);
	assert_int_equal(units.read, 100);
	minutes(1, 2, 0);
	assert_int_equal(units.read, 5); /* the minimum; the last fifteen say 4 */
	call(op_scaling_activities, "{'ServiceNamespace':'dynamodb'}");
	assert_non_null(strstr(answer, "Setting read capacity units to 5."));
	assert_non_null(strstr(answer, "Setting read capacity units to 40."));
	assert_null(strstr(answer, "Failed"));
}

static void
an_index_scales_by_itself(void **state)
{
	(void)state;
	call(op_scaling_register, TARGET("table/orders/index/by_g",
				      "index:WriteCapacityUnits") ",'MinCapacity':5,'MaxCapacity':100}");
	call(op_scaling_put_policy,
	    TARGET("table/orders/index/by_g",
		"index:WriteCapacityUnits") ",'PolicyName':'p','TargetTrackingScalingPolicyConfiguration':{'"
					    "TargetValue':80,"
					    "'PredefinedMetricSpecification':{'PredefinedMetricType':'"
					    "DynamoDBWriteCapacityUtilization'}}}");
	assert_memory_equal(answer, "{\"PolicyARN\"", 12);
	minutes(1, 0, 0);
	minutes(2, 50, 40);
	assert_int_equal(units.index_write, 50);
	assert_int_equal(units.index_read, 10);
	assert_int_equal(units.read, 10);
}

static void
bounds_hold_without_a_policy_unless_suspended(void **state)
{
	(void)state;
	call(op_scaling_register,
	    TARGET("table/orders",
		"table:WriteCapacityUnits") ",'MinCapacity':20,'MaxCapacity':30,"
					    "'SuspendedState':{'DynamicScalingOutSuspended':true}}");
	minutes(1, 0, 0);
	assert_int_equal(units.write, 10);
	call(op_scaling_register,
	    TARGET("table/orders",
		"table:WriteCapacityUnits") ",'SuspendedState':{'DynamicScalingOutSuspended':false}}");
	minutes(1, 0, 0);
	assert_int_equal(units.write, 20);
	call(op_scaling_deregister, TARGET("table/orders", "table:WriteCapacityUnits") "}");
	assert_string_equal(answer, "{}");
	assert_int_equal(scaling_count(region.scaling), 0);
}

static void
a_scheduled_action_moves_the_bounds_once(void **state)
{
	(void)state;
	call(op_scaling_register,
	    TARGET("table/orders", "table:ReadCapacityUnits") ",'MinCapacity':5,'MaxCapacity':100}");
	call(op_scaling_put_action,
	    TARGET("table/orders", "table:ReadCapacityUnits") ",'ScheduledActionName':'five "
							      "past','Schedule':'at(2024-12-30T12:05:00)','"
							      "ScalableTargetAction':{"
							      "'MinCapacity':50}}");
	assert_string_equal(answer, "{}");
	minutes(4, 0, 0);
	assert_int_equal(units.read, 10);
	minutes(1, 0, 0);
	assert_int_equal(units.read, 50);
	call(op_scaling_register, TARGET("table/orders", "table:ReadCapacityUnits") ",'MinCapacity':60}");
	minutes(1, 0, 0);
	assert_int_equal(units.read, 60); /* and the action does not come again */
}

static void
what_is_refused_is_told_and_tried_again(void **state)
{
	(void)state;
	call(op_scaling_register,
	    TARGET("table/orders", "table:ReadCapacityUnits") ",'MinCapacity':2000,'MaxCapacity':3000}");
	minutes(1, 0, 0);
	assert_int_equal(units.read, 10);
	call(op_scaling_activities, "{'ServiceNamespace':'dynamodb'}");
	assert_non_null(strstr(answer, "is above the per table maximum"));
	call(op_scaling_register, TARGET("table/orders", "table:ReadCapacityUnits") ",'MinCapacity':900}");
	minutes(1, 0, 0);
	assert_int_equal(units.read, 900);
}

static void
what_is_registered_is_read_again(void **state)
{
	struct tide_error error;

	(void)state;
	call(op_scaling_register,
	    TARGET("table/orders",
		"table:ReadCapacityUnits") ",'MinCapacity':5,'MaxCapacity':100,'Tags':{'a':'b'}}");
	call(op_scaling_put_action,
	    TARGET("table/orders",
		"table:ReadCapacityUnits") ",'ScheduledActionName':'x','Schedule':'rate(1 day)',"
					   "'ScalableTargetAction':{'MaxCapacity':7}}");
	scaling_close(region.scaling);
	assert_int_equal(scaling_open(&region, &region.scaling, &error), TIDE_OK);
	call(op_scaling_actions, "{'ServiceNamespace':'dynamodb'}");
	assert_non_null(strstr(answer, "\"Schedule\":\"rate(1 day)\""));
	assert_non_null(strstr(answer, "\"ScalableTargetAction\":{\"MaxCapacity\":7}"));
	call(op_scaling_targets, "{'ServiceNamespace':'dynamodb'}");
	assert_non_null(strstr(answer, "{\"MinCapacity\":5,\"MaxCapacity\":100,"));
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, start, stop)
	const struct CMUnitTest tests[] = {
	    ROW(capacity_follows_consumption_out_and_in),
	    ROW(an_index_scales_by_itself),
	    ROW(bounds_hold_without_a_policy_unless_suspended),
	    ROW(a_scheduled_action_moves_the_bounds_once),
	    ROW(what_is_refused_is_told_and_tried_again),
	    ROW(what_is_registered_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
