#include "api/ops/page_read.h"

#include "api/expr/legacy.h"

#include "api/ops/item_read.h"
#include "api/ops/page.h"

const char *const select_names[] = {
    "SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", NULL};

/* --- the request --- */

static tide_err
check_select(const struct page_read *read, struct tide_error *error)
{
	const struct json *body = &read->request->body;
	struct bytes select = params_string(body, "Select");
	bool index = json_get(body, "IndexName") != NULL;

	if (bytes_is(select, "ALL_PROJECTED_ATTRIBUTES") && !index)
		return tide_fail(error, TIDE_VALIDATION,
		    "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName");
	if (bytes_is(select, "SPECIFIC_ATTRIBUTES") && read->projection == NULL)
		return tide_fail(error, TIDE_VALIDATION,
		    "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
		    "SPECIFIC_ATTRIBUTES");
	if (read->projection == NULL || select.n == 0 || bytes_is(select, "SPECIFIC_ATTRIBUTES"))
		return TIDE_OK;
	return tide_fail(error, TIDE_VALIDATION, "Cannot specify the %s when choosing to get %s",
	    json_get(body, "AttributesToGet") != NULL ? "AttributesToGet" : "ProjectionExpression",
	    read->count_only                     ? "only the Count"
	    : bytes_is(select, "ALL_ATTRIBUTES") ? "ALL_ATTRIBUTES"
						 : "ALL_PROJECTED_ATTRIBUTES");
}

tide_err
page_read_begin(struct page_read *read, struct request *request, const struct page_parameters *parameters,
    struct tide_error *error)
{
	const struct json *body = &request->body, *filter = json_get(body, "FilterExpression");
	struct arena *arena = &request->arena;
	tide_err rc;

	*read = (struct page_read){.request = request};
	read->used.report = capacity_report_read(body);
	read->consistent = params_flag(body, "ConsistentRead", false);
	read->limit = (uint64_t)params_number(body, "Limit", 0);
	read->count_only = bytes_is(params_string(body, "Select"), "COUNT");
	rc = expr_scope_read(arena, body, parameters->expressions, parameters->legacy, &read->scope, error);
	if (rc != TIDE_OK)
		return rc;
	if (filter != NULL)
		rc = expr_condition_parse(
		    arena, EXPR_FILTER, filter->text, &read->scope, &read->filter, error);
	else
		rc = expr_legacy_filter(arena, json_get(body, parameters->filter),
		    json_get(body, "ConditionalOperator"), &read->filter, error);
	if (rc != TIDE_OK)
		return rc;
	rc = item_read_projection(arena, body, &read->scope, &read->projection, error);
	return rc == TIDE_OK ? check_select(read, error) : rc;
}

tide_err
page_read_table(struct page_read *read, struct tide_error *error)
{
	const struct json *body = &read->request->body, *index = json_get(body, "IndexName");
	tide_err rc;

	if ((rc = expr_scope_check_used(&read->scope, error)) != TIDE_OK)
		return rc;
	read->table = ops_table_read(read->request->region, params_string(body, "TableName"), error);
	if (read->table == NULL)
		return error->code;
	capacity_begin(&read->used, read->table, METER_READ, read->used.report);
	if (index != NULL)
		return tide_fail(error, TIDE_VALIDATION, "The table does not have the specified index: %.*s",
		    (int)index->text.n, index->text.at);
	return TIDE_OK;
}

#define BAD_START "The provided starting key is invalid: "

/* A value that is none: the service says that the key is invalid, except where it counts elements or digits. */
static tide_err
bad_value(const struct tide_error *why, struct tide_error *error)
{
	bool plain = strstr(why->message, "contains duplicates") != NULL ||
		     strstr(why->message, "number set") != NULL ||
		     (strncmp(why->message, "Supplied AttributeValue", 23) != 0 &&
			 strncmp(why->message, "One or more parameter values", 28) != 0);

	return tide_fail(error, why->code, "%s%s", plain ? "" : BAD_START, why->message);
}

tide_err
page_read_start(struct page_read *read, bool *present, struct value *value, struct item_key *key,
    struct tide_error *error)
{
	struct request *request = read->request;
	const struct json *start = json_get(&request->body, "ExclusiveStartKey");
	struct tide_error why;
	tide_err rc;

	*present = start != NULL;
	if (start == NULL)
		return TIDE_OK;
	if (json_to_item(&request->arena, start, value, &why) != TIDE_OK)
		return bad_value(&why, error);
	rc = item_key_of_key(&request->arena, read->table, value, key, &why);
	if (rc == TIDE_OK)
		return TIDE_OK;
	return tide_fail(error, rc, "%s%s", rc == TIDE_VALIDATION ? BAD_START : "", why.message);
}

/* --- the page --- */

/* A walk under way. */
struct walk {
	struct page_read *read;
	struct buf *reply;
	struct page page;
	struct arena scratch; /* of one item */
	uint64_t item_bytes; /* as DynamoDB counts them; only where capacity is counted */
	bool full; /* the page ended before the range did */
};

static tide_err
take_item(struct walk *walk, struct bytes image)
{
	struct page_read *read = walk->read;
	struct value item;
	tide_err rc;

	arena_reset(&walk->scratch);
	if (read->used.counted)
		walk->item_bytes += item_encoded_size(image);
	if (read->filter != NULL) {
		if ((rc = value_decode(&walk->scratch, image, &item)) != TIDE_OK)
			return rc;
		if (!expr_condition_eval(read->filter, &item))
			return TIDE_OK;
	}
	walk->page.matched++;
	if (read->count_only)
		return TIDE_OK;
	if (walk->page.matched > 1)
		buf_append_byte(walk->reply, ',');
	return item_read_write(&walk->scratch, image, read->projection, walk->reply);
}

/* The part of the range that lies in one shard. `last` gets the key with which a full page ended. */
static tide_err
walk_shard(struct walk *walk, struct shard *shard, struct buf *last)
{
	struct page_read *read = walk->read;
	struct shard_scan_range range = {
	    .table = read->table->id,
	    .from = buf_bytes(&read->range.from),
	    .to = buf_bytes(&read->range.to),
	    .backward = read->range.backward,
	};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if (range.to.n != 0 && bytes_compare(range.from, range.to) >= 0)
		return TIDE_OK; /* a start key at the end of its range */
	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	while (!walk->full && (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		walk->full = page_add(&walk->page, stored.image.n);
		if (walk->full) {
			buf_append(last, key.at, key.n);
			if ((rc = buf_check(last)) != TIDE_OK)
				break;
		}
		if ((rc = take_item(walk, stored.image)) != TIDE_OK)
			break;
	}
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
write_end(struct walk *walk, struct bytes last)
{
	struct page_read *read = walk->read;
	struct buf *reply = walk->reply;
	uint64_t halves;
	tide_err rc;

	if (!read->count_only)
		buf_append_string(reply, "],");
	buf_append_format(reply, "\"Count\":%llu,\"ScannedCount\":%llu",
	    (unsigned long long)walk->page.matched, (unsigned long long)walk->page.scanned);
	if (walk->full && !read->at_most_one) {
		buf_append_string(reply, ",\"LastEvaluatedKey\":");
		arena_reset(&walk->scratch);
		if ((rc = item_key_write(&walk->scratch, read->table, last, reply)) != TIDE_OK)
			return rc;
	}
	halves = read->scan ? capacity_scan(walk->item_bytes, read->consistent, read->segmented)
			    : capacity_read(walk->item_bytes, read->consistent);
	capacity_add(&read->used, halves);
	capacity_take(read->request->region, &read->used);
	capacity_report_member(reply, &read->used);
	buf_append_byte(reply, '}');
	return buf_check(reply);
}

tide_err
page_read_write(struct page_read *read, struct tide_error *error)
{
	struct walk walk = {.read = read, .reply = &read->request->reply, .page = {.limit = read->limit}};
	const struct buf *from = &read->range.from;
	struct buf last = {0};
	tide_err rc;

	if ((rc = capacity_admit(read->request, &read->used, NULL, error)) != TIDE_OK)
		return rc;
	buf_append_string(walk.reply, read->count_only ? "{" : "{\"Items\":[");
	/*
	 * Shards own ranges of the hash in order, so the merge over shards is one walk after the other, from the
	 * shard of the range's first key on. With one shard that is the whole.
	 */
	rc = walk_shard(
	    &walk, region_shard_of(read->request->region, from->n < 8 ? 0 : bytes_u64(from->at)), &last);
	if (rc == TIDE_OK)
		rc = write_end(&walk, buf_bytes(&last));
	arena_fini(&walk.scratch);
	buf_fini(&last);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
page_read_finish(struct page_read *read, tide_err rc, const struct tide_error *error)
{
	struct request *request = read->request;

	key_range_fini(&read->range);
	if (read->table != NULL)
		table_release(read->table);
	if (rc == TIDE_OK) {
		request_ok(request);
		return;
	}
	buf_clear(&request->reply);
	request_fail(request, error, NULL);
}
