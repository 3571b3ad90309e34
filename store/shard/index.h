/*
 * Secondary indexes of a table, local and global ones alike. An index is a set of entries, and the entries are a function of the table's
 * items as this region stores them: wherever the image of an item changes, its old entry goes and its new one comes in the same batch of
 * the store. So an index is never stale in its region, and entries never travel: each region makes its own.
 *
 * Which indexes a shard has is journaled (NOTE_INDEX) and in its checkpoints; nothing else needs to know.
 *
 *     store key   0x20 | table id (8) | index id (8) | entry key
 *     entry key   hash of the partition values (8) | partition values | sort values | the item's own key
 *     value       KEYS_ONLY, INCLUDE: the projected item, encoded; ALL: empty, the item is read beside the entry
 *
 * Values are in the order-preserving form of store/item/key.h, composite keys one after the other. An item that lacks one of the index's key
 * attributes, or has one of another type, empty, or too long, has no entry.
 */
#ifndef TIDE_STORE_SHARD_INDEX_H
#define TIDE_STORE_SHARD_INDEX_H

#include "store/item/value.h"
#include "store/shard/group.h"

#define INDEX_KEYS_MAX 4 /* partition attributes, and sort attributes */
#define INDEX_INCLUDES_MAX 20
#define INDEXES_MAX 64 /* of a table, GSIs and LSIs; DynamoDB's own limits are lower */

enum index_projection { INDEX_KEYS_ONLY, INDEX_INCLUDE, INDEX_ALL };

struct index_key {
	struct bytes name;
	enum value_type type; /* S, N or B */
};

struct index_def {
	uint64_t id; /* unique in the table for ever; not 0 */
	struct index_key partitions[INDEX_KEYS_MAX], sorts[INDEX_KEYS_MAX];
	uint8_t n_partitions, n_sorts; /* 1 to 4; 0 to 4 */
	enum index_projection projection;
	struct bytes includes[INDEX_INCLUDES_MAX]; /* INCLUDE: what is projected beside the keys */
	uint8_t n_includes;
	struct bytes table_keys[2]; /* the table's own key attributes: always projected */
	uint8_t n_table_keys; /* 1 or 2 */
};

enum index_state {
	INDEX_BACKFILLING, /* items up to the cursor have entries, later ones not yet: not to be read */
	INDEX_COMPLETE,
};

/* --- changing a table's indexes: committer thread, within an operation's run --- */

/**
 * Give a table an index; `def` is copied. An empty table's index is complete at once, else it is BACKFILLING. One that it has already
 * is left as it is. For a table in any state but ABSENT: a new replica gets its indexes before its first item.
 * Errors     TIDE_NOTFOUND: no such table. TIDE_USAGE: not a definition (counts, types, id 0), or INDEXES_MAX. TIDE_NOMEM.
 */
tide_err group_index_add(struct group *group, uint64_t table, const struct index_def *def);

/** Take an index away: gone for readers at once, then its entries go. One that is not there is TIDE_OK. TIDE_NOMEM. */
tide_err group_index_drop(struct group *group, uint64_t table, uint64_t index);

/* What a step of group_index_backfill did. */
struct index_progress {
	bool done; /* nothing is left to do: the index is complete, or not there */
	uint64_t items, entries, bytes; /* of this step: items looked at, entries made, bytes read */
};

/**
 * Make the entries of the next items, about `bytes_max` of them, in the table's order: entries and cursor move in one unit, so that a
 * killed backfill goes on where it was. Within one group an index moves on by one step only.
 * Errors     TIDE_CORRUPT, TIDE_IO (nothing has changed), TIDE_NOMEM.
 */
tide_err group_index_backfill(
    struct group *group, uint64_t table, uint64_t index, size_t bytes_max, struct index_progress *progress);

/* --- looking at them: any thread --- */

struct index_view {
	uint64_t id;
	enum index_state state;
	uint64_t items, bytes; /* entries; their projected items' size as DynamoDB counts it. Exact */
	uint64_t looked_at; /* BACKFILLING: items of the table gone through so far; of table_view.items */
};

/** One index. TIDE_NOTFOUND: no such table or index here. */
tide_err shard_index_view(struct shard *shard, uint64_t table, uint64_t index, struct index_view *out);

/** All indexes of a table, in the arena. TIDE_NOTFOUND: no such table. TIDE_NOMEM. */
tide_err shard_index_views(
    struct shard *shard, struct arena *arena, uint64_t table, struct index_view **out, uint32_t *n);

/**
 * The first index to be backfilled behind this one in the order of tables and ids (0, 0: of all). False: there is none. Committed state.
 */
bool shard_index_backfilling(struct shard *shard, uint64_t *table, uint64_t *index);

/* --- reading one: any thread --- */

struct index_scan;

/* Entries with entry keys in [from, to); `to` empty: to the index's end. Backwards from the greatest down. */
struct index_scan_range {
	uint64_t table, index;
	struct bytes from, to;
	bool backward;
	bool
	    whole; /* give the whole item whatever the projection is: an LSI may be asked for more than it projects */
};

struct index_row {
	struct bytes entry_key;
	struct bytes item_key; /* the item's own key: the end of `entry_key` */
	struct bytes
	    image; /* the projected item, encoded; with `whole`, or a projection of ALL, the item as it is stored */
};

/**
 * Walk an index at one moment: entries and items are of one snapshot, which is held until close.
 * Errors     TIDE_NOTFOUND: no such index here. TIDE_AGAIN: it is still being backfilled. TIDE_NOMEM.
 */
tide_err shard_index_scan_open(
    struct shard *shard, const struct index_scan_range *range, struct index_scan **out);

/** The next entry; what `out` has is borrowed until the next call. TIDE_NOTFOUND: the end. TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM. */
tide_err shard_index_scan_next(struct index_scan *scan, struct index_row *out);

/** Takes NULL. */
void shard_index_scan_close(struct index_scan *scan);

/* --- entries: pure, any thread --- */

/**
 * The entry of an item: its entry key, and what is stored there, appended to `key` and `value` (which may be NULL). `*bytes` (may be NULL):
 * the projected item's size. False: the item has no entry, nothing is appended. Failed growth shows in buf_check.
 */
bool index_entry(const struct index_def *def, struct bytes item_key, struct bytes image, struct buf *key,
    struct buf *value, uint64_t *bytes);

#endif
