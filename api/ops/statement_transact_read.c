#include "api/ops/statement_transact.h"

#include "api/ops/capacity.h"

struct get {
	struct transact_reason reason;
	const struct table *table; /* one reference; NULL: there is none of that name */
	struct item_key key;
	uint32_t used; /* which of the transaction's `used` */
};

struct reading {
	struct statement_transact *transact;
	enum capacity_report report;
	struct get *gets;
	struct shard_get_one *reads; /* one for each */
	struct capacity *used; /* per table, in the order in which they appear */
	uint32_t n_used;
	struct arena scratch; /* of one item */
	struct buf members;
	bool cancelled;
};

/* --- the statements --- */

static tide_err
set_reason(struct reading *reading, struct get *get, const struct tide_error *error)
{
	reading->cancelled = true;
	return transact_reason_set(&get->reason, &reading->transact->request->arena, error);
}

/* What is wrong with a SELECT whose table there is. `*value` is its key. */
static tide_err
check_statement(struct reading *reading, uint32_t i, struct value *value, struct tide_error *error)
{
	struct statement_transact *transact = reading->transact;
	const struct partiql_statement *statement = &transact->statements[i];
	bool whole;
	tide_err rc;

	if (statement->index.at != NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, "Reads on indices are not supported within transactions.");
	rc = statement_read_key(
	    &transact->request->arena, statement, reading->gets[i].table, &whole, value, error);
	if (rc == TIDE_OK && !whole)
		rc = tide_fail(error, TIDE_VALIDATION,
		    "Select statements within ExecuteTransaction must specify the primary key in the where "
		    "clause.");
	return rc;
}

static uint32_t
used_of(struct reading *reading, const struct table *table)
{
	for (uint32_t i = 0; i < reading->n_used; i++) {
		if (reading->used[i].table->id == table->id)
			return i;
	}
	capacity_begin(&reading->used[reading->n_used], table, METER_READ, reading->report);
	reading->used[reading->n_used].transaction = true;
	return reading->n_used++;
}

static tide_err
prepare_one(struct reading *reading, uint32_t i, struct tide_error *error)
{
	struct statement_transact *transact = reading->transact;
	struct request *request = transact->request;
	struct get *get = &reading->gets[i];
	struct value key;
	tide_err rc;

	get->table = ops_table_read(request->region, transact->statements[i].table, error);
	if (get->table == NULL) {
		if (error->code != TIDE_RESOURCE_NOT_FOUND)
			return error->code;
		return set_reason(reading, get, error);
	}
	if (check_statement(reading, i, &key, error) != TIDE_OK)
		return statement_transact_fail(i, error);
	rc = item_key_of_key(&request->arena, get->table, &key, &get->key, error);
	if (rc == TIDE_VALIDATION && !transact_is_upfront(error))
		return set_reason(reading, get, error);
	get->used = used_of(reading, get->table);
	return rc;
}

static tide_err
check_distinct(struct reading *reading, struct tide_error *error)
{
	uint64_t tables[TRANSACT_ITEMS_MAX];
	struct bytes keys[TRANSACT_ITEMS_MAX];

	for (uint32_t i = 0; i < reading->transact->n; i++) {
		tables[i] = reading->gets[i].table->id;
		keys[i] = reading->gets[i].key.bytes;
		reading->reads[i].table = tables[i];
		reading->reads[i].key = keys[i];
	}
	return transact_check_distinct(tables, keys, reading->transact->n, error);
}

/* The reads of a table that has nothing left are the reason. */
static tide_err
admit(struct reading *reading, struct tide_error *error)
{
	tide_err rc;

	for (uint32_t t = 0; t < reading->n_used && !reading->cancelled; t++) {
		rc = capacity_admit(reading->transact->request, &reading->used[t], NULL, error);
		if (rc == TIDE_OK)
			continue;
		if (rc != TIDE_THROUGHPUT_EXCEEDED && rc != TIDE_THROTTLED)
			return rc;
		for (uint32_t i = 0; i < reading->transact->n; i++) {
			if (reading->gets[i].used == t &&
			    set_reason(reading, &reading->gets[i], error) != TIDE_OK)
				return tide_fail(error, TIDE_NOMEM, NULL);
		}
	}
	return TIDE_OK;
}

static tide_err
prepare(struct reading *reading, struct tide_error *error)
{
	tide_err rc;

	for (uint32_t i = 0; i < reading->transact->n; i++) {
		if ((rc = prepare_one(reading, i, error)) == TIDE_NOMEM)
			return tide_fail(error, TIDE_NOMEM, NULL);
		if (rc != TIDE_OK)
			return rc;
	}
	if (!reading->cancelled && (rc = check_distinct(reading, error)) != TIDE_OK)
		return rc;
	if ((rc = admit(reading, error)) != TIDE_OK)
		return rc;
	if (!reading->cancelled)
		return TIDE_OK;
	return transact_cancel(
	    &reading->gets->reason, sizeof *reading->gets, reading->transact->n, &reading->members, error);
}

/* --- the answer --- */

static tide_err
check_reads(struct reading *reading, struct tide_error *error)
{
	struct shard *shard = region_shard_of(reading->transact->request->region, reading->gets[0].key.hash);
	size_t size = 0, one;

	for (uint32_t i = 0; i < reading->transact->n; i++) {
		const struct shard_get_one *read = &reading->reads[i];
		enum replica_state state = shard_table_state(shard, read->table);

		/* It may have been taken out of service since it was looked up, and be half merged. */
		if (state != REPLICA_ACTIVE && state != REPLICA_LEAVING)
			return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
		one = read->outcome == TIDE_OK ? item_encoded_size(read->stored.image) : 0;
		if ((size += one) > TRANSACT_BYTES_MAX)
			return tide_fail(
			    error, TIDE_VALIDATION, "Payload in response is too large.%zu", size);
		capacity_add(&reading->used[reading->gets[i].used], capacity_read(one, true));
	}
	return TIDE_OK;
}

static tide_err
write_responses(struct reading *reading, struct buf *reply)
{
	tide_err rc = TIDE_OK;

	buf_append_string(reply, "{\"Responses\":[");
	for (uint32_t i = 0; i < reading->transact->n && rc == TIDE_OK; i++) {
		const struct shard_get_one *read = &reading->reads[i];

		buf_append_string(reply, i == 0 ? "{" : ",{");
		if (read->outcome == TIDE_OK) {
			arena_reset(&reading->scratch);
			buf_append_string(reply, "\"Item\":");
			rc = statement_write_projected(
			    &reading->transact->statements[i], &reading->scratch, read->stored.image, reply);
		}
		buf_append_byte(reply, '}');
	}
	buf_append_byte(reply, ']');
	return rc;
}

static tide_err
answer(struct reading *reading, struct tide_error *error)
{
	struct request *request = reading->transact->request;
	struct shard *shard = region_shard_of(request->region, reading->gets[0].key.hash);
	struct buf *reply = &request->reply;
	tide_err rc;

	if ((rc = shard_get_all(shard, reading->reads, reading->transact->n)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = check_reads(reading, error)) != TIDE_OK)
		return rc;
	rc = write_responses(reading, reply);
	if (reading->report != CAPACITY_NONE) {
		buf_append_string(reply, ",\"ConsumedCapacity\":[");
		for (uint32_t i = 0; i < reading->n_used; i++) {
			buf_append_string(reply, i == 0 ? "" : ",");
			capacity_report_json(reply, &reading->used[i]);
		}
		buf_append_byte(reply, ']');
	}
	buf_append_byte(reply, '}');
	for (uint32_t i = 0; i < reading->n_used; i++)
		capacity_take(request->region, &reading->used[i]);
	if (rc == TIDE_OK)
		rc = buf_check(reply);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
statement_transact_read(struct statement_transact *transact)
{
	struct request *request = transact->request;
	struct arena *arena = &request->arena;
	struct reading reading = {.transact = transact, .report = capacity_report_read(&request->body)};
	struct tide_error error;
	tide_err rc;

	reading.gets = arena_calloc(arena, transact->n * sizeof *reading.gets);
	reading.reads = arena_calloc(arena, transact->n * sizeof *reading.reads);
	reading.used = arena_calloc(arena, transact->n * sizeof *reading.used);
	if (reading.gets == NULL || reading.reads == NULL || reading.used == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return;
	}
	arena_init(&reading.scratch, 0);
	if ((rc = prepare(&reading, &error)) == TIDE_OK)
		rc = answer(&reading, &error);
	for (uint32_t i = 0; i < transact->n; i++)
		table_release(reading.gets[i].table);
	shard_get_all_fini(reading.reads, transact->n);
	arena_fini(&reading.scratch);
	if (rc == TIDE_OK) {
		request_ok(request);
	} else {
		buf_clear(&request->reply);
		request_fail(request, &error,
		    rc == TIDE_TRANSACTION_CANCELED ? (const char *)reading.members.at : NULL);
	}
	buf_fini(&reading.members);
}
