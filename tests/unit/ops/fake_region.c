#include "tests/unit/ops/fake_region.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "api/membership.h"

#define ANSWER_SECONDS_MAX 30

static struct region region;
static struct table tables[3];
static char dir[] = "/tmp/tidemark-ops-XXXXXX";
static atomic_bool may_write = true;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static unsigned answers; /* of the request under way */
static struct buf answer;

/* --- what the operations call --- */

const struct table *
catalog_find(struct catalog *catalog, struct bytes name)
{
	size_t i;

	(void)catalog;
	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if (bytes_is(name, tables[i].name)) {
			atomic_fetch_add(&tables[i].references, 1);
			return &tables[i];
		}
	return NULL;
}

void
table_release(const struct table *table)
{
	if (table != NULL)
		atomic_fetch_sub(&((struct table *)(uintptr_t)table)->references, 1);
}

bool
region_may_write(struct region *r)
{
	(void)r;
	return atomic_load(&may_write);
}

static void
take_answer(void)
{
	buf_append_byte(&answer, 0);
	answers++;
	pthread_cond_signal(&answered);
	pthread_mutex_unlock(&lock);
}

void
request_ok(struct request *request)
{
	pthread_mutex_lock(&lock);
	buf_append(&answer, request->reply.at, request->reply.n);
	take_answer();
}

void
request_fail(struct request *request, const struct tide_error *error, const char *members)
{
	const char *exception = tide_err_exception(error->code);

	(void)request;
	pthread_mutex_lock(&lock);
	buf_append_string(&answer, exception == NULL ? "?" : strchr(exception, '#') + 1);
	buf_append_string(&answer, ": ");
	buf_append_string(&answer, error->message);
	if (members != NULL)
		buf_append_string(&answer, members);
	take_answer();
}

/* --- the region --- */

static tide_err
make_tables(struct commit_op *op, struct group *group, struct tide_error *error)
{
	size_t i;
	tide_err rc;

	(void)op;
	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		if ((rc = group_table_state(group, tables[i].id, REPLICA_ACTIVE)) != TIDE_OK)
			return tide_fail(error, rc, NULL);
	return TIDE_OK;
}

static void
describe_table(struct table *table, uint64_t id, const char *name, bool has_sort, enum value_type sort)
{
	*table = (struct table){.references = 1, .id = id, .status = TABLE_ACTIVE, .has_sort = has_sort};
	snprintf(table->name, sizeof table->name, "%s", name);
	table->partition = (struct key_attribute){BYTES_LITERAL("pk"), VALUE_S};
	if (has_sort)
		table->sort = (struct key_attribute){BYTES_LITERAL("sk"), sort};
}

void
fake_region_start(void)
{
	struct shard_options options = {
	    .dir = dir, .kv_plugin = "memory", .journal_plugin = "memory", .region = 1, .create = true};
	struct tide_error error;

	assert_non_null(mkdtemp(dir));
	describe_table(&tables[0], 101, "hash", false, VALUE_S);
	describe_table(&tables[1], 102, "range", true, VALUE_N);
	describe_table(&tables[2], 103, "words", true, VALUE_S);
	snprintf(region.config.region, sizeof region.config.region, "us-east-1");
	snprintf(region.config.account, sizeof region.config.account, "000000000000");
	if (shard_open(&options, &region.shard, &error) != TIDE_OK)
		fail_msg("%s", error.message);
	assert_int_equal(committer_start(region.shard, NULL, &region.committer), TIDE_OK);
	if (committer_call(region.committer, make_tables, NULL, &error) != TIDE_OK)
		fail_msg("%s", error.message);
}

void
fake_region_stop(void)
{
	char command[128];
	size_t i;

	committer_stop(region.committer);
	shard_close(region.shard, false);
	for (i = 0; i < sizeof tables / sizeof tables[0]; i++)
		assert_int_equal(atomic_load(&tables[i].references), 1);
	buf_fini(&answer);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

void
fake_may_write(bool may)
{
	atomic_store(&may_write, may);
}

const char *
fake_call_bytes(void (*handle)(struct request *request), struct bytes body)
{
	struct request request = {.region = &region};
	struct tide_error error;
	struct timespec deadline;

	arena_init(&request.arena, 0);
	if (json_parse(&request.arena, body, &request.body, &error) != TIDE_OK) {
		arena_fini(&request.arena);
		return NULL;
	}
	buf_clear(&answer);
	answers = 0;
	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += ANSWER_SECONDS_MAX;
	handle(&request);
	pthread_mutex_lock(&lock);
	while (answers == 0)
		if (pthread_cond_timedwait(&answered, &lock, &deadline) != 0)
			fail_msg("no answer");
	assert_int_equal(answers, 1);
	pthread_mutex_unlock(&lock);
	arena_fini(&request.arena);
	buf_fini(&request.reply);
	return (const char *)answer.at;
}

const char *
fake_call(void (*handle)(struct request *request), const char *body)
{
	const char *text = fake_call_bytes(handle, bytes_of_string(body));

	if (text == NULL)
		fail_msg("no JSON: %s", body);
	return text;
}
