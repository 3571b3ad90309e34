#include "api/ops/item_collection.h"

#include <stdatomic.h>

#include "api/json/json.h"
#include "store/item/key.h"
#include "store/kv/kv.h"
#include "store/shard/stored.h"

#define GB ((uint64_t)1 << 30)
#define COUNTED_MAX ((uint64_t)64 << 20) /* up to here a collection's items are added up one by one */

static _Atomic uint64_t bytes_max = 10 * GB;

void
item_collection_set_max(uint64_t bytes)
{
	atomic_store(&bytes_max, bytes);
}

bool
item_collection_is_told(const struct table *table)
{
	for (uint32_t i = 0; i < table->n_indexes; i++) {
		if (table->indexes[i].local)
			return true;
	}
	return false;
}

/* --- how big --- */

/* The table's items, and these with its local indexes: no collection is bigger. Exact. */
static tide_err
whole_size(struct shard *shard, const struct table *table, uint64_t *items, uint64_t *out)
{
	struct index_view *indexes = NULL;
	struct table_view view;
	struct arena arena;
	uint32_t n = 0;
	tide_err rc;

	arena_init(&arena, 0);
	if ((rc = shard_table_view(shard, &arena, table->id, &view)) == TIDE_OK &&
	    (rc = shard_index_views(shard, &arena, table->id, &indexes, &n)) == TIDE_OK) {
		*items = *out = view.bytes;
		for (uint32_t i = 0; i < n; i++) {
			for (uint32_t k = 0; k < table->n_indexes; k++) {
				if (table->indexes[k].local && table->indexes[k].id == indexes[i].id)
					*out += indexes[i].bytes;
			}
		}
	}
	arena_fini(&arena);
	return rc;
}

/* What all keys of the collection begin with, in the table and in local indexes alike. */
static bool
prefix_of(const struct table *table, struct bytes key, struct bytes *out)
{
	struct bytes rest = bytes_of(key.at + KEY_HASH_BYTES, key.n - KEY_HASH_BYTES);

	if (!key_skip(&rest, table->partition.type))
		return false;
	*out = bytes_of(key.at, key.n - rest.n);
	return true;
}

/* The sum of the items, until it passes `enough`. */
static tide_err
count_items(struct shard *shard, const struct table *table, struct bytes from, struct bytes to,
    uint64_t enough, uint64_t *sum)
{
	struct shard_scan_range range = {.table = table->id, .from = from, .to = to};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if ((rc = shard_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc;
	while (*sum <= enough && (rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK)
		*sum += item_encoded_size(stored.image);
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
count_entries(struct shard *shard, const struct table *table, uint64_t index, struct bytes from,
    struct bytes to, uint64_t enough, uint64_t *sum)
{
	struct index_scan_range range = {.table = table->id, .index = index, .from = from, .to = to};
	struct index_scan *scan;
	struct index_row row;
	tide_err rc;

	if ((rc = shard_index_scan_open(shard, &range, &scan)) != TIDE_OK)
		return rc == TIDE_AGAIN ? TIDE_OK : rc;
	while (*sum <= enough && (rc = shard_index_scan_next(scan, &row)) == TIDE_OK)
		*sum += item_encoded_size(row.image);
	shard_index_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
count(struct shard *shard, const struct table *table, struct bytes from, struct bytes to, uint64_t enough,
    uint64_t *out)
{
	tide_err rc;

	*out = 0;
	rc = count_items(shard, table, from, to, enough, out);
	for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
		if (table->indexes[i].local)
			rc = count_entries(shard, table, table->indexes[i].id, from, to, enough, out);
	}
	return rc;
}

/* What the items take on disk, and as much more for the indexes as they add to the whole table. */
static tide_err
guess(struct shard *shard, const struct table *table, struct bytes from, struct bytes to, double indexes,
    uint64_t *out)
{
	struct buf low = {0}, high = {0};
	tide_err rc;

	space_key(table->id, from, &low);
	space_key(table->id, to, &high);
	if ((rc = buf_check(&low)) == TIDE_OK && (rc = buf_check(&high)) == TIDE_OK)
		*out = (uint64_t)(indexes * (double)kv_approximate_size(
						shard_kv(shard), buf_bytes(&low), buf_bytes(&high)));
	buf_fini(&low);
	buf_fini(&high);
	return rc;
}

/*
 * `enough`: a size beyond which nobody asks. A table as a whole smaller than `fine` answers for all of its collections.
 */
static tide_err
measure(struct shard *shard, const struct table *table, struct bytes key, uint64_t fine, uint64_t enough,
    uint64_t *out)
{
	struct buf to = {0};
	struct bytes prefix;
	uint64_t items = 0, whole = 0;
	tide_err rc;

	if ((rc = whole_size(shard, table, &items, &whole)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
	*out = whole;
	if (whole <= fine)
		return TIDE_OK;
	if (!prefix_of(table, key, &prefix))
		return TIDE_CORRUPT;
	if (!key_prefix_end(prefix, &to))
		return TIDE_OK; /* the last of all hashes: as big as the table at most */
	rc = buf_check(&to);
	if (rc == TIDE_OK && enough <= COUNTED_MAX)
		rc = count(shard, table, prefix, buf_bytes(&to), enough, out);
	else if (rc == TIDE_OK)
		rc = guess(shard, table, prefix, buf_bytes(&to),
		    items == 0 ? 1 : (double)whole / (double)items, out);
	buf_fini(&to);
	return rc;
}

tide_err
item_collection_check(
    struct shard *shard, const struct table *table, struct bytes key, struct tide_error *error)
{
	uint64_t max = atomic_load_explicit(&bytes_max, memory_order_relaxed), size = 0;
	tide_err rc;

	if (table->n_indexes == 0 || !item_collection_is_told(table))
		return TIDE_OK;
	if ((rc = measure(shard, table, key, max, max, &size)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return size <= max ? TIDE_OK
			   : tide_fail(error, TIDE_ITEM_COLLECTION_SIZE, "Collection size exceeded.");
}

/* --- telling it --- */

void
item_collection_write(struct buf *out, struct shard *shard, const struct table *table, struct bytes key,
    const struct value *attributes)
{
	const struct value *partition = value_map_get(attributes, table->partition.name);
	uint64_t size = 0;

	/* An estimate that cannot be made says the least: the write itself is done. */
	if (measure(shard, table, key, GB, UINT64_MAX, &size) != TIDE_OK)
		size = 0;
	buf_append_string(out, "{\"ItemCollectionKey\":{");
	json_write_string(out, table->partition.name);
	buf_append_byte(out, ':');
	json_write_value(out, partition);
	buf_append_format(out, "},\"SizeEstimateRangeGB\":[%llu.0,%llu.0]}", (unsigned long long)(size / GB),
	    (unsigned long long)(size / GB + 1));
}

void
item_collection_report(
    struct request *request, const struct table *table, struct bytes key, const struct value *attributes)
{
	struct buf *reply = &request->reply;

	if (table->n_indexes == 0 ||
	    !bytes_is(params_string(&request->body, "ReturnItemCollectionMetrics"), "SIZE") ||
	    !item_collection_is_told(table))
		return;
	if (reply->n > 0 && reply->at[reply->n - 1] != '{')
		buf_append_byte(reply, ',');
	buf_append_string(reply, "\"ItemCollectionMetrics\":");
	item_collection_write(
	    reply, region_shard_of(request->region, bytes_u64(key.at)), table, key, attributes);
}
