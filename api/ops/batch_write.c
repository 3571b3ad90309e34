#include "api/ops/batch_write.h"

#include "api/ops/item_collection.h"

/* --- the answer: by whoever finishes last --- */

static void
release(struct batch_write *batch)
{
	uint32_t i;

	for (i = 0; i < batch->n_items; i++)
		arena_fini(&batch->items[i].arena);
	for (i = 0; i < batch->n_tables; i++)
		if (batch->tables[i].table != NULL)
			table_release(batch->tables[i].table);
}

static void
write_item(struct buf *reply, const struct batch_item *item)
{
	buf_append_string(reply, item->put ? "{\"PutRequest\":{\"Item\":" : "{\"DeleteRequest\":{\"Key\":");
	json_write_item(reply, &item->value);
	buf_append_string(reply, "}}");
}

/* Append the member of one table, if anything of it is left; true when there was. */
static bool
write_unprocessed(struct buf *reply, const struct batch_table *table, bool first)
{
	bool open = false;
	uint32_t i;

	for (i = 0; i < table->n; i++) {
		if (!table->items[i].unprocessed)
			continue;
		if (open) {
			buf_append_byte(reply, ',');
		} else {
			if (!first)
				buf_append_byte(reply, ',');
			json_write_string(reply, table->name);
			buf_append_string(reply, ":[");
			open = true;
		}
		write_item(reply, &table->items[i]);
	}
	if (open)
		buf_append_byte(reply, ']');
	return open;
}

static tide_err
write_capacity(const struct batch_write *batch, struct buf *reply)
{
	const struct batch_table *table;
	const struct batch_item *item;
	struct capacity sum;
	tide_err rc = TIDE_OK;

	if (batch->capacity == CAPACITY_NONE)
		return TIDE_OK;
	buf_append_string(reply, ",\"ConsumedCapacity\":[");
	for (table = batch->tables; table < batch->tables + batch->n_tables && rc == TIDE_OK; table++) {
		capacity_begin(&sum, table->table, METER_WRITE, batch->capacity);
		for (item = table->items; item < table->items + table->n && rc == TIDE_OK; item++)
			if (!item->unprocessed)
				rc = capacity_add_all(&sum, &batch->request->arena, &item->used);
		if (table > batch->tables)
			buf_append_byte(reply, ',');
		capacity_report_json(reply, &sum);
	}
	buf_append_byte(reply, ']');
	return rc;
}

/* Was the collection of that item told of already, with an earlier one? */
static bool
is_told(const struct batch_table *table, uint32_t n)
{
	struct bytes name = table->table->partition.name;
	const struct value *partition = value_map_get(&table->items[n].value, name);

	for (uint32_t i = 0; i < n; i++) {
		if (!table->items[i].unprocessed &&
		    value_equal(value_map_get(&table->items[i].value, name), partition))
			return true;
	}
	return false;
}

static void
write_collections(const struct batch_write *batch, struct buf *reply)
{
	struct request *request = batch->request;
	bool any = false;

	if (!bytes_is(params_string(&request->body, "ReturnItemCollectionMetrics"), "SIZE"))
		return;
	for (uint32_t t = 0; t < batch->n_tables; t++) {
		const struct batch_table *table = &batch->tables[t];
		bool open = false;

		for (uint32_t i = 0; item_collection_is_told(table->table) && i < table->n; i++) {
			const struct batch_item *item = &table->items[i];

			if (item->unprocessed || is_told(table, i))
				continue;
			if (!open) {
				buf_append_string(reply, any ? "," : ",\"ItemCollectionMetrics\":{");
				json_write_string(reply, table->name);
				buf_append_byte(reply, ':');
			}
			buf_append_byte(reply, open ? ',' : '[');
			any = open = true;
			item_collection_write(reply, region_shard_of(request->region, item->key.hash),
			    table->table, item->key.bytes, &item->value);
		}
		if (open)
			buf_append_byte(reply, ']');
	}
	if (any)
		buf_append_byte(reply, '}');
}

static void
answer(struct batch_write *batch)
{
	struct request *request = batch->request;
	struct buf *reply = &request->reply;
	uint32_t i, unprocessed = 0;
	bool first = true;
	tide_err rc;

	for (i = 0; i < batch->n_items; i++)
		unprocessed += batch->items[i].unprocessed;
	if (atomic_load(&batch->failed)) {
		batch_write_drop(batch, &batch->error);
		return;
	}
	if (unprocessed == batch->n_items) {
		if (!atomic_load(&batch->refused))
			tide_fail(&batch->refusal, TIDE_UNAVAILABLE, NULL);
		batch_write_drop(batch, &batch->refusal);
		return;
	}
	buf_append_string(reply, "{\"UnprocessedItems\":{");
	for (i = 0; i < batch->n_tables; i++)
		if (write_unprocessed(reply, &batch->tables[i], first))
			first = false;
	buf_append_byte(reply, '}');
	write_collections(batch, reply);
	rc = write_capacity(batch, reply);
	buf_append_byte(reply, '}');
	release(batch);
	if (rc != TIDE_OK || buf_check(reply) != TIDE_OK)
		ops_fail(request, TIDE_NOMEM, NULL);
	else
		request_ok(request);
}

static void
finish_one(struct batch_write *batch)
{
	if (atomic_fetch_sub(&batch->left, 1) == 1)
		answer(batch);
}

/* --- on the committer's thread --- */

/*
 * The arena is shared by the batch's operations, which may run on the committers of several shards: each
 * uses its own.
 */
static tide_err
use_capacity(struct batch_item *item, struct group *group, struct tide_error *error)
{
	struct request *request = item->batch->request;
	const struct value *after = item->put ? &item->value : NULL;
	struct value before;
	struct stored stored;
	tide_err rc, found;

	rc = found = group_get(group, item->table->table->id, item->key.bytes, &stored);
	if (rc == TIDE_OK)
		rc = value_decode(&item->arena, stored.image, &before);
	if (rc == TIDE_OK || rc == TIDE_NOTFOUND)
		rc = capacity_add_write(&item->used, &item->arena, found == TIDE_OK ? &before : NULL, after);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = capacity_admit_write(request, &item->used, error)) == TIDE_OK)
		capacity_take(request->region, &item->used);
	return rc;
}

static tide_err
run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct batch_item *item = (struct batch_item *)op;
	const struct table *table = item->table->table;
	bool keep = table_keeps_before(table);
	tide_err rc;

	if ((rc = ops_write_check(group, table, error)) != TIDE_OK)
		return rc;
	if (item->used.counted && (rc = use_capacity(item, group, error)) != TIDE_OK)
		return rc;
	if (item->put &&
	    (rc = item_collection_check(group_shard(group), table, item->key.bytes, error)) != TIDE_OK)
		return rc;
	rc = item->put ? group_put(group, table->id, item->key.bytes, item->image, keep)
		       : group_delete(group, table->id, item->key.bytes, keep);
	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* A limit of throughput: for the client to send again. */
static void
refuse(struct batch_item *item, const struct tide_error *error)
{
	item->unprocessed = true;
	if (!atomic_exchange(&item->batch->refused, true))
		item->batch->refusal = *error;
}

static void
done(struct commit_op *op, const struct tide_error *error)
{
	struct batch_item *item = (struct batch_item *)op;
	struct batch_write *batch = item->batch;

	if (error->code == TIDE_UNAVAILABLE)
		item->unprocessed = true;
	else if (error->code == TIDE_THROTTLED || error->code == TIDE_THROUGHPUT_EXCEEDED)
		refuse(item, error);
	else if (error->code != TIDE_OK && !atomic_exchange(&batch->failed, true))
		batch->error = *error;
	finish_one(batch);
}

/* --- */

void
batch_write_submit(struct batch_write *batch)
{
	struct region *region = batch->request->region;
	struct stored stored;
	struct batch_item *item;
	struct tide_error error;
	struct buf raw = {0};
	uint32_t i;

	/* bring the items into memory before the committer wants them; an error shows again there */
	for (i = 0; i < batch->n_items; i++) {
		item = &batch->items[i];
		(void)shard_get(region_shard_of(region, item->key.hash), item->table->table->id,
		    item->key.bytes, &raw, &stored);
	}
	buf_fini(&raw);

	atomic_store(&batch->left, batch->n_items + 1);
	for (i = 0; i < batch->n_items; i++) {
		item = &batch->items[i];
		item->op.run = run;
		item->op.done = done;
		capacity_begin(&item->used, item->table->table, METER_WRITE, batch->capacity);
		if (capacity_admit(batch->request, &item->used, NULL, &error) != TIDE_OK) {
			refuse(item, &error);
			finish_one(batch);
		} else if (committer_submit(region_committer_of(region, item->key.hash), &item->op) !=
			   TIDE_OK) {
			item->unprocessed = true;
			finish_one(batch);
		}
	}
	finish_one(batch);
}

void
batch_write_drop(struct batch_write *batch, const struct tide_error *error)
{
	struct request *request = batch->request;

	release(batch);
	buf_clear(&request->reply);
	request_fail(request, error, NULL);
}
