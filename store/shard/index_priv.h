/* The inside of indexes: shared by index_*.c and what changes items. */
#ifndef TIDE_STORE_SHARD_INDEX_PRIV_H
#define TIDE_STORE_SHARD_INDEX_PRIV_H

#include "store/shard/group_priv.h"

#define SPACE_INDEXES 0x20
#define INDEX_PREFIX 17

/** Append the store key of an entry, or with an empty `entry_key` the prefix of an index. */
void index_space_key(uint64_t table, uint64_t index, struct bytes entry_key, struct buf *out);

/** The part of a store key behind the index's prefix. */
static inline struct bytes
index_space_entry(struct bytes store_key)
{
	return bytes_of(store_key.at + INDEX_PREFIX, store_key.n - INDEX_PREFIX);
}

/** The item's own key at the end of an entry key. False: that is no key of this index. */
bool index_item_key(const struct index_def *def, struct bytes entry_key, struct bytes *item_key);

/** Delete every entry of an index; of all indexes of a table. */
tide_err index__clear(struct kv *kv, uint64_t table, uint64_t index);
tide_err index__clear_table(struct kv *kv, uint64_t table);

/* --- index_def.c --- */

bool index_def_is_sound(const struct index_def *def);
void index_def_encode(const struct index_def *def, struct buf *out);

/** `out` borrows from `in`. TIDE_CORRUPT: not a definition. */
tide_err index_def_decode(struct bytes in, struct index_def *out);

/* --- index_group.c: committer thread --- */

/** An entry comes (`value`), or goes. Copies into the group's arena. TIDE_NOMEM. */
tide_err index__op(struct group *group, struct index_ops *ops, uint64_t table, uint64_t index, bool put,
    struct bytes entry_key, struct bytes value);

/**
 * What becomes of the table's entries when an item's image changes; NULL: there is none, before or after. The changes are in the group's
 * arena. TIDE_NOMEM.
 */
tide_err index__change(struct group *group, const struct table_fold *table, struct bytes item_key,
    const struct stored *before, const struct stored *after, const struct index_change **changes,
    uint32_t *n);

/** Forget what the group did to a table's entries (0: to all indexes of it): they go as a whole. */
void index__forget(struct group *group, uint64_t table, uint64_t index);

/** Have the batch make the group's changes. */
void index__write(const struct group *group, struct kv_batch *batch);

/** Indexes that the group takes away: for readers, with the shard's lock held; then their entries. */
void index__hide_dropped(struct group *group);
tide_err index__clear_dropped(struct group *group);

/* --- index_backfill.c --- */

/** Every item of the table behind `after`, to `upto` (empty: to its end), as the store holds it. `each` false: stop. */
struct index_walk {
	struct bytes after, upto;
	tide_err (*each)(void *arg, struct bytes key, const struct stored *stored, bool *stop);
	void *arg;
};
tide_err index__walk(struct shard *shard, uint64_t table, const struct index_walk *walk, bool *ended);

/* --- index_replay.c: recovery --- */

struct index_replay {
	struct shard *shard;
	struct kv_batch *batch;
	size_t bytes; /* put into the batch so far, to be added up and reset by the caller */
	struct buf key, entry, value; /* scratch */
	tide_err (*flush)(void *arg);
	void *flush_arg;
};
void index_replay_fini(struct index_replay *replay);

/** The entries of a record, as they were when it was written. */
tide_err index_replay_record(struct index_replay *replay, const struct record *record);

/** The entries that go with an item, or come and go with an index. */
tide_err index_replay_note(struct index_replay *replay, const struct note *note);

#endif
