/* BatchExecuteStatement: up to 25 statements of PartiQL on one item each, all reads or all writes, each with an outcome of its own. */
#include <stdatomic.h>

#include "api/ops/return_values.h"
#include "api/ops/statement_write.h"

#define BATCH_STATEMENTS_MAX 25

static const struct param statement_shape[] = {
    PARAM_STATEMENT,
    PARAM_STATEMENT_PARAMETERS,
    {.name = "ConsistentRead", .type = PARAM_BOOLEAN},
    {.name = "ReturnValuesOnConditionCheckFailure", .type = PARAM_STRING, .values = return_on_failure_names},
    PARAMS_END,
};

static const struct param element_shape[] = {
    {.name = "", .type = PARAM_STRUCT, .members = statement_shape, .java = "BatchStatementRequest"},
    PARAMS_END,
};

static const struct param shape[] = {
    {.name = "ReturnConsumedCapacity", .type = PARAM_STRING, .values = capacity_report_names},
    {.name = "Statements",
	.type = PARAM_LIST,
	.flags = PARAM_REQUIRED,
	.min = 1,
	.max = BATCH_STATEMENTS_MAX,
	.members = element_shape,
	.java = "BatchStatementRequest"},
    PARAMS_END,
};

/* One statement. What came of a read is in `write`, too. */
struct batch_statement {
	struct statement_write write; /* first */
	struct partiql_statement statement;
	struct item_key key; /* of a read; of a write it is in the change */
};

struct batch {
	struct request *request;
	struct batch_statement *at;
	uint32_t n;
	bool reads;
	enum capacity_report report;
	atomic_uint left; /* writes under way, and the submitter */
};

/* --- the answer: by whoever finishes last --- */

static const char *
code_of(tide_err code)
{
	switch (code) {
	case TIDE_CONDITION_FAILED:
		return "ConditionalCheckFailed";
	case TIDE_DUPLICATE_ITEM:
		return "DuplicateItem";
	case TIDE_RESOURCE_NOT_FOUND:
		return "ResourceNotFound";
	case TIDE_ITEM_COLLECTION_SIZE:
		return "ItemCollectionSizeLimitExceeded";
	case TIDE_THROUGHPUT_EXCEEDED:
		return "ProvisionedThroughputExceeded";
	case TIDE_THROTTLED:
	case TIDE_UNAVAILABLE:
		return "ThrottlingError";
	case TIDE_VALIDATION:
	case TIDE_SERIALIZATION:
		return "ValidationError";
	default:
		return "InternalServerError";
	}
}

static void
write_member(struct buf *reply, const char *name, struct bytes json, bool *begun)
{
	buf_append_string(reply, *begun ? ",\"" : "\"");
	buf_append_string(reply, name);
	buf_append_string(reply, "\":");
	buf_append(reply, json.at, json.n);
	*begun = true;
}

static void
write_response(struct buf *reply, const struct batch_statement *one)
{
	const struct statement_write *write = &one->write;
	struct tide_error internal;
	const struct tide_error *error = &write->error;
	bool begun = false;

	buf_append_byte(reply, '{');
	if (error->code != TIDE_OK) {
		if (strcmp(code_of(error->code), "InternalServerError") == 0) {
			tide_fail(&internal, TIDE_INTERNAL, NULL);
			error = &internal;
		}
		buf_append_format(reply, "\"Error\":{\"Code\":\"%s\",\"Message\":", code_of(error->code));
		json_write_string(reply, bytes_of_string(error->message));
		if (write->old.n > 0) {
			buf_append_string(reply, ",\"Item\":");
			buf_append(reply, write->old.at, write->old.n);
		}
		buf_append_byte(reply, '}');
		begun = true;
	} else if (write->row.n > 0) {
		write_member(reply, "Item", buf_bytes(&write->row), &begun);
	}
	if (write->ran) {
		write_member(reply, "TableName", BYTES_NONE, &begun);
		json_write_string(reply, one->statement.table);
	}
	buf_append_byte(reply, '}');
}

static void
write_capacity(const struct batch *batch, struct buf *reply)
{
	const char *comma = "";

	if (batch->report == CAPACITY_NONE)
		return;
	buf_append_string(reply, ",\"ConsumedCapacity\":[");
	for (uint32_t i = 0; i < batch->n; i++) {
		if (!batch->at[i].write.ran)
			continue;
		buf_append_string(reply, comma);
		capacity_report_json(reply, &batch->at[i].write.used);
		comma = ",";
	}
	buf_append_byte(reply, ']');
}

static void
release(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++)
		statement_write_fini(&batch->at[i].write);
}

static void
answer(struct batch *batch)
{
	struct request *request = batch->request;
	struct buf *reply = &request->reply;

	buf_append_string(reply, "{\"Responses\":[");
	for (uint32_t i = 0; i < batch->n; i++) {
		buf_append_string(reply, i == 0 ? "" : ",");
		write_response(reply, &batch->at[i]);
	}
	buf_append_byte(reply, ']');
	write_capacity(batch, reply);
	buf_append_byte(reply, '}');
	release(batch);
	if (buf_check(reply) != TIDE_OK)
		ops_fail(request, TIDE_NOMEM, NULL);
	else
		request_ok(request);
}

static void
finish_one(struct batch *batch)
{
	if (atomic_fetch_sub(&batch->left, 1) == 1)
		answer(batch);
}

static void
written(struct statement_write *write)
{
	finish_one(write->owner);
}

/* --- the request --- */

static void
parse_one(struct batch *batch, struct batch_statement *one, const struct json *object)
{
	struct arena *arena = &batch->request->arena;
	struct statement_parameters parameters;
	struct tide_error *error = &one->write.error;

	one->write = (struct statement_write){.request = batch->request,
	    .owner = batch,
	    .done = written,
	    .statement = &one->statement,
	    .report = batch->report,
	    .old_on_failure = return_on_failure_read(object)};
	one->statement.kind = PARTIQL_OTHER;
	if (statement_parameters_read(arena, object, &parameters, error) != TIDE_OK ||
	    statement_parse(arena, object, &parameters, &one->statement, error) != TIDE_OK)
		return;
	if (one->statement.kind == PARTIQL_OTHER || one->statement.kind == PARTIQL_EXISTS)
		tide_fail(error, TIDE_VALIDATION,
		    "Invalid operation. Only select, insert, update and delete operations are valid");
}

/* Of the statements that could be read all are of one kind. */
static tide_err
check_kinds(struct batch *batch, struct tide_error *error)
{
	bool reads = false, writes = false;

	for (uint32_t i = 0; i < batch->n; i++) {
		if (batch->at[i].write.error.code != TIDE_OK)
			continue;
		reads |= partiql_is_read(&batch->at[i].statement);
		writes |= !partiql_is_read(&batch->at[i].statement);
	}
	batch->reads = reads;
	if (!reads || !writes)
		return TIDE_OK;
	return tide_fail(
	    error, TIDE_VALIDATION, "Read and write requests together in the same batch is not supported.");
}

static tide_err
prepare_read(struct batch_statement *one, struct tide_error *error)
{
	struct statement_write *write = &one->write;
	struct arena *arena = &write->request->arena;
	struct value key;
	bool whole;
	tide_err rc;

	arena_init(&write->arena, 0);
	write->change.table = ops_table_read(write->request->region, one->statement.table, error);
	if (write->change.table == NULL)
		return error->code;
	rc = statement_check_index(table_index_find(write->change.table, one->statement.index), error);
	if (rc != TIDE_OK)
		return rc;
	rc = statement_read_key(arena, &one->statement, write->change.table, &whole, &key, error);
	if (rc != TIDE_OK)
		return rc;
	if (!whole)
		return tide_fail(error, TIDE_VALIDATION,
		    "Select statements within BatchExecuteStatement must specify the primary key in the "
		    "where "
		    "clause.");
	if ((rc = statement_check_key(write->change.table, &key, error)) != TIDE_OK ||
	    (rc = item_key_of_key(arena, write->change.table, &key, &one->key, error)) != TIDE_OK)
		return rc;
	write->ran = true;
	capacity_begin(&write->used, write->change.table, METER_READ, write->report);
	return capacity_admit(write->request, &write->used, NULL, error);
}

static void
prepare(struct batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		struct batch_statement *one = &batch->at[i];

		if (one->write.error.code != TIDE_OK)
			continue;
		if (batch->reads)
			(void)prepare_read(one, &one->write.error);
		else if (statement_write_prepare(&one->write) == TIDE_OK)
			one->key = one->write.change.key;
	}
}

static tide_err
check_distinct(const struct batch *batch, struct tide_error *error)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		for (uint32_t j = 0; j < i && batch->at[i].key.bytes.n > 0; j++) {
			const struct batch_statement *a = &batch->at[i], *b = &batch->at[j];

			if (b->key.bytes.n > 0 && a->write.change.table->id == b->write.change.table->id &&
			    bytes_equal(a->key.bytes, b->key.bytes))
				return tide_fail(
				    error, TIDE_VALIDATION, "Provided list of item keys contains duplicates");
		}
	}
	return TIDE_OK;
}

/* --- reads --- */

static tide_err
read_one(struct batch_statement *one, bool consistent)
{
	struct statement_write *write = &one->write;
	struct region *region = write->request->region;
	struct buf raw = {0};
	struct stored stored;
	size_t size = 0;
	tide_err rc;

	rc = shard_get(
	    region_shard_of(region, one->key.hash), write->change.table->id, one->key.bytes, &raw, &stored);
	if (rc == TIDE_OK) {
		rc = statement_write_projected(&one->statement, &write->arena, stored.image, &write->row);
		size = item_encoded_size(stored.image);
	} else if (rc == TIDE_NOTFOUND) {
		rc = TIDE_OK;
	}
	buf_fini(&raw);
	capacity_add(&write->used, capacity_read(size, consistent));
	capacity_take(region, &write->used);
	return rc;
}

static void
run_reads(struct batch *batch, const struct json *statements)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		struct batch_statement *one = &batch->at[i];
		bool consistent = params_flag(&statements->array.at[i], "ConsistentRead", false);
		tide_err rc;

		if (one->write.error.code == TIDE_OK && (rc = read_one(one, consistent)) != TIDE_OK)
			tide_fail(&one->write.error, rc, NULL);
	}
	answer(batch);
}

/* --- writes --- */

static void
run_writes(struct batch *batch)
{
	atomic_store(&batch->left, batch->n + 1);
	for (uint32_t i = 0; i < batch->n; i++) {
		if (batch->at[i].write.error.code == TIDE_OK)
			statement_write_submit(&batch->at[i].write);
		else
			finish_one(batch);
	}
	finish_one(batch);
}

/* --- */

void
op_batch_execute_statement(struct request *request)
{
	struct arena *arena = &request->arena;
	const struct json *statements;
	struct tide_error error;
	struct batch *batch;

	if (!ops_check(request, shape))
		return;
	statements = json_get(&request->body, "Statements");
	if ((batch = arena_calloc(arena, sizeof *batch)) == NULL ||
	    (batch->at = arena_calloc(arena, statements->array.n * sizeof *batch->at)) == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	batch->request = request;
	batch->report = capacity_report_read(&request->body);
	batch->n = statements->array.n;
	for (uint32_t i = 0; i < batch->n; i++)
		parse_one(batch, &batch->at[i], &statements->array.at[i]);
	if (check_kinds(batch, &error) == TIDE_OK) {
		prepare(batch);
		if (check_distinct(batch, &error) == TIDE_OK) {
			if (batch->reads)
				run_reads(batch, statements);
			else
				run_writes(batch);
			return;
		}
	}
	release(batch);
	request_fail(request, &error, NULL);
}
