#include "api/ops/page_read.h"

#include "api/ops/index_key.h"
#include "api/ops/page.h"
#include "api/ops/page_start.h"
#include "api/ops/query_range.h"

#define INVALID "One or more parameter values were invalid: "

#define OF(name) (int)(name).n, (const char *)(name).at

/* --- what is read --- */

tide_err
page_read_target(
    struct page_read *read, struct bytes table, const struct bytes *index, struct tide_error *error)
{
	if ((read->table = ops_table_read(read->request->region, table, error)) == NULL)
		return error->code;
	capacity_begin(&read->used, read->table, METER_READ, read->used.report);
	if (index == NULL || index->at == NULL)
		return TIDE_OK;
	if ((read->index = table_index_find(read->table, *index)) == NULL)
		return tide_fail(
		    error, TIDE_VALIDATION, "The table does not have the specified index: %.*s", OF(*index));
	if (read->consistent && !read->index->local)
		return tide_fail(
		    error, TIDE_VALIDATION, "Consistent reads are not supported on global secondary indexes");
	return TIDE_OK;
}

struct expr_key_schema
page_read_schema(const struct page_read *read)
{
	const struct table *table = read->table;
	struct expr_key_schema schema = {
	    .partition = table->partition.name,
	    .partition_type = table->partition.type,
	};

	if (read->index != NULL)
		return index_key_schema(read->index);
	if (table->has_sort) {
		schema.sort = table->sort.name;
		schema.sort_type = table->sort.type;
	}
	return schema;
}

/* --- against the index's projection --- */

/* The names that the index does not have, as DynamoDB prints a list; nothing where it has all. */
static tide_err
list_missing(const struct page_read *read, const struct bytes *names, uint32_t n, struct buf *out)
{
	for (uint32_t i = 0; i < n && out->n < TIDE_MESSAGE_MAX; i++) {
		if (table_index_projects(read->table, read->index, names[i]))
			continue;
		if (out->n > 0)
			buf_append_string(out, ", ");
		buf_append(out, names[i].at, names[i].n);
	}
	return buf_check(out);
}

static tide_err
check_projection(struct page_read *read, struct tide_error *error)
{
	const struct table_index *index = read->index;
	const struct bytes *names;
	struct buf missing = {0};
	uint32_t n;
	tide_err rc;

	if (read->select == PAGE_ALL_ATTRIBUTES && index->projection != INDEX_ALL) {
		read->whole = index->local;
		if (!index->local)
			return tide_fail(error, TIDE_VALIDATION,
			    INVALID "Select type ALL_ATTRIBUTES is not supported for global secondary index "
				    "%.*s because its projection type is not ALL",
			    OF(index->name));
	}
	if (read->projection == NULL)
		return TIDE_OK;
	n = expr_projection_names(read->projection, &names);
	rc = list_missing(read, names, n, &missing);
	if (rc != TIDE_OK)
		tide_fail(error, rc, NULL);
	else if (missing.n > 0 && !index->local)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Global secondary index %.*s does not project [%.*s]", OF(index->name),
		    (int)missing.n, (const char *)missing.at);
	else
		read->whole |= missing.n > 0;
	buf_fini(&missing);
	return rc;
}

/* A Query filters what the index has; a Scan's filter finds nothing in what it has not. */
static tide_err
check_filter(const struct page_read *read, struct tide_error *error)
{
	const struct bytes *names;
	struct buf missing = {0};
	uint32_t n;
	tide_err rc;

	if (read->filter == NULL || read->scan)
		return TIDE_OK;
	n = expr_condition_names(read->filter, &names);
	rc = list_missing(read, names, n, &missing);
	if (rc != TIDE_OK)
		tide_fail(error, rc, NULL);
	else if (missing.n > 0)
		rc = tide_fail(error, TIDE_VALIDATION,
		    INVALID "Secondary index %.*s does not project one or more filter attributes: [%.*s]",
		    OF(read->index->name), (int)missing.n, (const char *)missing.at);
	buf_fini(&missing);
	return rc;
}

static tide_err
check_index(struct page_read *read, struct tide_error *error)
{
	tide_err rc;

	rc = index_key_check_paths(read->table, read->filter, read->projection, NULL, error);
	if (rc != TIDE_OK || read->index == NULL)
		return rc;
	rc = check_filter(read, error);
	return rc == TIDE_OK ? check_projection(read, error) : rc;
}

/* --- the range --- */

tide_err
page_read_query(struct page_read *read, const struct expr_condition *parsed, bool backward,
    const struct value *start, struct tide_error *error)
{
	struct expr_key_schema schema = page_read_schema(read);
	struct expr_key_condition condition;
	struct page_start at;
	tide_err rc;

	if ((rc = expr_key_condition_derive(parsed, &schema, &condition, error)) != TIDE_OK)
		return rc;
	read->at_most_one =
	    read->index == NULL && (!read->table->has_sort || condition.range == EXPR_RANGE_EQ);
	if (start != NULL) {
		if ((rc = page_start_read(read, start, &at, error)) != TIDE_OK ||
		    (rc = page_start_check(read, &schema, &condition, start, error)) != TIDE_OK)
			return rc;
	}
	if ((rc = expr_filter_check_keys(read->filter, &schema, error)) != TIDE_OK ||
	    (rc = check_index(read, error)) != TIDE_OK)
		return rc;
	read->range.backward = backward;
	rc = query_range(&condition, &read->range);
	if (rc == TIDE_OK && start != NULL)
		rc = key_range_resume(&read->range, at.key);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

tide_err
page_read_scan(
    struct page_read *read, struct scan_segment segment, const struct value *start, struct tide_error *error)
{
	struct page_start at;
	tide_err rc;

	read->scan = true;
	read->segmented = segment.total > 1;
	if (start != NULL && (rc = page_start_read(read, start, &at, error)) != TIDE_OK)
		return rc;
	if (start != NULL && !scan_segment_holds(segment, bytes_u64(at.key.at)))
		return tide_fail(error, TIDE_VALIDATION,
		    "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use "
		    "ExclusiveStartKey with correct Segment. TotalSegments: %u Segment: %u",
		    segment.total, segment.index);
	if ((rc = check_index(read, error)) != TIDE_OK)
		return rc;
	rc = scan_segment_range(segment, &read->range);
	if (rc == TIDE_OK && start != NULL)
		rc = key_range_resume(&read->range, at.key);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* --- the walk --- */

struct walk {
	struct page_read *read;
	page_take_fn take;
	void *arg;
	struct page page;
	struct arena scratch; /* of one item */
	uint64_t bytes; /* of items, or entries, as DynamoDB counts them; only where capacity is counted */
	uint64_t fetched_halves; /* of items that were read from the table beside their entries */
};

static tide_err
count_bytes(struct walk *walk, struct bytes image)
{
	const struct page_read *read = walk->read;
	struct value item;
	tide_err rc;

	if (!read->whole) {
		walk->bytes += item_encoded_size(image);
		return TIDE_OK;
	}
	walk->fetched_halves += capacity_read(item_encoded_size(image), read->consistent);
	if ((rc = value_decode(&walk->scratch, image, &item)) != TIDE_OK)
		return rc;
	for (uint32_t i = 0; i < item.map.n; i++) {
		if (table_index_projects(read->table, read->index, item.map.at[i].name))
			walk->bytes += item.map.at[i].name.n + value_size(&item.map.at[i].value);
	}
	return TIDE_OK;
}

static tide_err
take_item(struct walk *walk, struct bytes image)
{
	struct page_read *read = walk->read;
	struct value item;
	tide_err rc;

	arena_reset(&walk->scratch);
	if (read->used.counted && (rc = count_bytes(walk, image)) != TIDE_OK)
		return rc;
	if (read->filter != NULL) {
		if ((rc = value_decode(&walk->scratch, image, &item)) != TIDE_OK)
			return rc;
		if (!expr_condition_eval(read->filter, &item))
			return TIDE_OK;
	}
	walk->page.matched++;
	if (read->select == PAGE_COUNT)
		return TIDE_OK;
	return walk->take(walk->arg, &walk->scratch, image);
}

/* An item, under its key or its entry's. The page may end with it. */
static tide_err
take_row(struct walk *walk, struct bytes key, struct bytes image)
{
	struct page_read *read = walk->read;
	tide_err rc;

	read->full = page_add(&walk->page, image.n);
	if (read->full) {
		buf_append(&read->last, key.at, key.n);
		if (read->index != NULL)
			buf_append(&read->last_keys, image.at, image.n);
		if ((rc = buf_check(&read->last)) != TIDE_OK || (rc = buf_check(&read->last_keys)) != TIDE_OK)
			return rc;
	}
	return take_item(walk, image);
}

static tide_err
walk_table(struct walk *walk, struct shard *shard)
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

	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	while (!read->full && (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK) {
		if ((rc = take_row(walk, key, stored.image)) != TIDE_OK)
			break;
	}
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
walk_index(struct walk *walk, struct shard *shard, struct tide_error *error)
{
	struct page_read *read = walk->read;
	struct index_scan_range range = {
	    .table = read->table->id,
	    .index = read->index->id,
	    .from = buf_bytes(&read->range.from),
	    .to = buf_bytes(&read->range.to),
	    .backward = read->range.backward,
	    .whole = read->whole,
	};
	struct index_scan *scan;
	struct index_row row;
	tide_err rc;

	rc = shard_index_scan_open(shard, &range, &scan);
	/* One that the facts have and the shard has not yet is as if it were still being filled. */
	if (rc == TIDE_AGAIN || rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_VALIDATION,
		    "Cannot read from backfilling global secondary index: %.*s", OF(read->index->name));
	if (rc != TIDE_OK)
		return rc;
	while (!read->full && (rc = shard_index_scan_next(scan, &row)) == TIDE_OK) {
		if ((rc = take_row(walk, row.entry_key, row.image)) != TIDE_OK)
			break;
	}
	shard_index_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
count_capacity(struct walk *walk)
{
	struct page_read *read = walk->read;
	struct capacity *used = &read->used;
	uint64_t halves;
	tide_err rc = TIDE_OK;

	if (!used->counted)
		return TIDE_OK;
	halves = read->scan ? capacity_scan(walk->bytes, read->consistent, read->segmented)
			    : capacity_read(walk->bytes, read->consistent);
	if (read->index == NULL)
		capacity_add(used, halves);
	else
		rc = capacity_add_index(used, &read->request->arena, read->index, halves);
	if (walk->fetched_halves != 0)
		capacity_add(used, walk->fetched_halves);
	if (rc == TIDE_OK)
		capacity_take(read->request->region, used);
	return rc;
}

/*
 * Shards own ranges of the hash in order, so the merge over shards is one walk after the other, from the shard of the
 * range's first key on. With one shard that is the whole. An index's entries are in the shards of their items: a merge of all.
 */
tide_err
page_read_walk(struct page_read *read, page_take_fn take, void *arg, struct tide_error *error)
{
	struct walk walk = {.read = read, .take = take, .arg = arg, .page = {.limit = read->limit}};
	const struct buf *from = &read->range.from, *to = &read->range.to;
	struct shard *shard = region_shard_of(read->request->region, from->n < 8 ? 0 : bytes_u64(from->at));
	tide_err rc;

	if ((rc = capacity_admit(read->request, &read->used, read->index, error)) != TIDE_OK)
		return rc;
	error->code = TIDE_OK;
	if (to->n == 0 || bytes_compare(buf_bytes(from), buf_bytes(to)) < 0) /* else: started at its end */
		rc = read->index == NULL ? walk_table(&walk, shard) : walk_index(&walk, shard, error);
	arena_fini(&walk.scratch);
	read->scanned = walk.page.scanned;
	read->matched = walk.page.matched;
	if (rc == TIDE_OK)
		rc = count_capacity(&walk);
	return rc == TIDE_OK || error->code != TIDE_OK ? rc : tide_fail(error, rc, NULL);
}

/* --- where it ended --- */

tide_err
page_read_last_key(struct page_read *read, struct buf *out)
{
	struct arena *arena = &read->request->arena;
	struct value item;
	bool first = true;
	tide_err rc;

	if (read->index == NULL)
		return item_key_write(arena, read->table, buf_bytes(&read->last), out);
	if ((rc = value_decode(arena, buf_bytes(&read->last_keys), &item)) != TIDE_OK)
		return rc;
	buf_append_byte(out, '{');
	for (uint32_t i = 0; i < item.map.n; i++) {
		if (!page_start_is_key(read, item.map.at[i].name))
			continue;
		if (!first)
			buf_append_byte(out, ',');
		first = false;
		json_write_string(out, item.map.at[i].name);
		buf_append_byte(out, ':');
		json_write_value(out, &item.map.at[i].value);
	}
	buf_append_byte(out, '}');
	return buf_check(out);
}

void
page_read_close(struct page_read *read)
{
	key_range_fini(&read->range);
	buf_fini(&read->last);
	buf_fini(&read->last_keys);
	if (read->table != NULL)
		table_release(read->table);
	read->table = NULL;
}
