#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/shard/index_priv.h"

#define BUCKETS_FIRST 256

struct group *
group_open(struct shard *shard)
{
	struct group *group = calloc(1, sizeof *group);

	if (group == NULL)
		return NULL;
	group->shard = shard;
	arena_init(&group->arena, 0);
	group->n_buckets = BUCKETS_FIRST;
	group->buckets = arena_calloc(&group->arena, group->n_buckets * sizeof *group->buckets);
	if (group->buckets == NULL) {
		free(group);
		return NULL;
	}
	group->next_seq = shard->work.last_seq + 1;
	group->now_ms = shard_now_ms(shard, &group->clock);
	shard->group = group;
	return group;
}

void
group__fini(struct group *group)
{
	for (struct unit_build *unit = group->first; unit != NULL; unit = unit->next)
		buf_fini(&unit->note);
	told_list__fini(&group->told);
	told_list__fini(&group->heard);
	free(group->cleared);
	buf_fini(&group->raw);
	buf_fini(&group->key);
	for (size_t i = 0; i < sizeof group->index_scratch / sizeof *group->index_scratch; i++)
		buf_fini(&group->index_scratch[i]);
	group->shard->group = NULL;
	arena_fini(&group->arena);
	free(group);
}

uint64_t
group_bytes(const struct group *group)
{
	return group->bytes + group->read_bytes;
}

struct shard *
group_shard(struct group *group)
{
	return group->shard;
}

static void
rehash(struct group *group)
{
	size_t n = group->n_buckets * 4;
	struct pending **buckets = arena_calloc(&group->arena, n * sizeof *buckets), *next;

	if (buckets == NULL)
		return; /* longer chains, nothing worse */
	for (size_t i = 0; i < group->n_buckets; i++)
		for (struct pending *p = group->buckets[i]; p != NULL; p = next) {
			next = p->next;
			p->next = buckets[p->hash & (n - 1)];
			buckets[p->hash & (n - 1)] = p;
		}
	group->buckets = buckets;
	group->n_buckets = n;
}

static tide_err
read_store(struct group *group, struct pending *pending)
{
	struct bytes copy;
	tide_err rc;

	for (uint32_t i = 0; i < group->n_cleared; i++)
		if (group->cleared[i] == pending->table)
			return TIDE_OK; /* the store still has what this group lets go */
	buf_clear(&group->key);
	space_key(pending->table, pending->key, &group->key);
	if ((rc = buf_check(&group->key)) != TIDE_OK)
		return rc;
	rc = kv_get(group->shard->kv, NULL, buf_bytes(&group->key), &group->raw);
	if (rc == TIDE_NOTFOUND)
		return TIDE_OK;
	if (rc == TIDE_CORRUPT || rc == TIDE_IO)
		shard__damaged(group->shard, buf_bytes(&group->key));
	if (rc != TIDE_OK)
		return rc;
	copy = arena_copy(&group->arena, buf_bytes(&group->raw));
	if (copy.at == NULL)
		return TIDE_NOMEM;
	group->read_bytes += copy.n;
	pending->exists = true;
	return stored_decode(copy, &pending->stored);
}

uint64_t
group__hash(uint64_t table, struct bytes key)
{
	return XXH3_64bits_withSeed(key.at, key.n, table);
}

struct pending *
group__find(const struct group *group, uint64_t hash, uint64_t table, struct bytes key)
{
	struct pending *pending = group->buckets[hash & (group->n_buckets - 1)];

	while (pending != NULL &&
	       (pending->hash != hash || pending->table != table || !bytes_equal(pending->key, key)))
		pending = pending->next;
	return pending;
}

struct pending *
group__add(struct group *group, uint64_t hash, uint64_t table, struct bytes key)
{
	struct pending *pending = arena_calloc(&group->arena, sizeof *pending);

	if (pending == NULL || (pending->key = arena_copy(&group->arena, key)).at == NULL)
		return NULL;
	pending->hash = hash;
	pending->table = table;
	if (group->n_pending++ > group->n_buckets * 2)
		rehash(group);
	pending->next = group->buckets[hash & (group->n_buckets - 1)];
	group->buckets[hash & (group->n_buckets - 1)] = pending;
	return pending;
}

tide_err
group__pending(struct group *group, uint64_t table, struct bytes key, struct pending **out)
{
	uint64_t hash = group__hash(table, key);
	struct pending *pending = group__find(group, hash, table, key), read = {.table = table, .key = key};
	tide_err rc;

	if (pending == NULL) {
		if ((rc = read_store(group, &read)) != TIDE_OK)
			return rc;
		if ((pending = group__add(group, hash, table, key)) == NULL)
			return TIDE_NOMEM;
		pending->exists = read.exists;
		pending->stored = read.stored;
	}
	*out = pending;
	return TIDE_OK;
}

tide_err
group_get(struct group *group, uint64_t table, struct bytes key, struct stored *out)
{
	struct pending *pending;
	tide_err rc = group__pending(group, table, key, &pending);

	if (rc != TIDE_OK)
		return rc;
	*out = (struct stored){0};
	if (!pending->exists)
		return TIDE_NOTFOUND;
	*out = pending->stored;
	return out->tombstone ? TIDE_NOTFOUND : TIDE_OK;
}

tide_err
group__vector(struct group *group, const struct vector *from, struct vector *to)
{
	*to = (struct vector){0};
	if (from == NULL || from->n == 0)
		return TIDE_OK;
	if ((to->entries = arena_alloc(&group->arena, from->n * sizeof *to->entries)) == NULL)
		return TIDE_NOMEM;
	memcpy(to->entries, from->entries, from->n * sizeof *to->entries);
	to->n = to->room = from->n;
	return TIDE_OK;
}

struct unit_build *
group__unit(struct group *group, enum unit_kind kind, struct jid origin, const struct vector *seen)
{
	struct unit_build *unit = arena_calloc(&group->arena, sizeof *unit);

	if (unit == NULL || group__vector(group, seen, &unit->unit.seen) != TIDE_OK)
		return NULL;
	unit->unit.kind = kind;
	unit->unit.origin = origin;
	unit->unit.first_seq = group->next_seq;
	if (group->last == NULL)
		group->first = unit;
	else
		group->last->next = unit;
	group->last = unit;
	return unit;
}

bool
group__is_noted(const struct unit_build *unit, uint64_t table)
{
	for (uint32_t i = 0; i < unit->n_noted; i++)
		if (unit->noted[i] == table)
			return true;
	return false;
}

struct unit_build *
group__local_unit(struct group *group, uint64_t table)
{
	struct fold *work = &group->shard->work;
	struct unit_build *last = group->last;

	if (last == NULL || (last->unit.kind != UNIT_LOCAL && last->unit.kind != UNIT_NOTE) ||
	    group__is_noted(last, table))
		return group__unit(group, UNIT_LOCAL, work->id, &work->position);
	if (last->unit.kind == UNIT_NOTE) {
		if (group__vector(group, &work->position, &last->unit.seen) != TIDE_OK)
			return NULL;
		last->unit.kind = UNIT_LOCAL;
		last->unit.origin = work->id;
	}
	return last;
}

/* One more in an array that grows in the arena. */
static struct record *
grow(struct group *group, struct record **array, uint32_t *n, uint32_t *room)
{
	if (*n == *room) {
		uint32_t more = *room == 0 ? 8 : *room * 2;
		struct record *records = arena_alloc(&group->arena, more * sizeof *records);

		if (records == NULL)
			return NULL;
		if (*n > 0)
			memcpy(records, *array, *n * sizeof *records);
		*array = records;
		*room = more;
	}
	(*array)[*n] = (struct record){0};
	return &(*array)[*n];
}

struct record *
group__record(struct group *group, struct unit_build *unit)
{
	return grow(group, &unit->unit.records, &unit->unit.n_records, &unit->records_room);
}

struct record *
group__entry(struct group *group, struct unit_build *unit)
{
	return grow(group, &unit->unit.entries, &unit->unit.n_entries, &unit->entries_room);
}

void
group__own(struct group *group, struct record *record, struct hlc clock)
{
	struct fold *work = &group->shard->work;
	const struct table_fold *table = fold_table(work, record->table);

	record->version = (struct version){clock, work->id};
	record->origin_seq = record->seq;
	record->origin_prev = table->own_last;
}

tide_err
group__apply(
    struct group *group, struct unit_build *unit, struct record *record, bool entry, struct pending *pending)
{
	struct fold *work = &group->shard->work;
	struct stored after = {record->version, record->seq, record->tombstone, record->image};
	const struct stored *before = pending->exists ? &pending->stored : NULL;
	bool was_live = before != NULL && !before->tombstone;
	const struct table_fold *table = fold_table(work, record->table);
	tide_err rc;

	if (table != NULL && table->indexes != NULL && !record->lost &&
	    (rc = index__change(group, table, pending->key, before, &after, &record->index_changes,
		 &record->n_index_changes)) != TIDE_OK)
		return rc;
	record->table_prev_seq = table != NULL ? table->last_seq : 0;
	record->item_prev_seq = before != NULL ? before->seq : 0;
	if (!record->lost) {
		record->count_delta = (record->tombstone ? 0 : 1) - (was_live ? 1 : 0);
		record->bytes_delta =
		    (int64_t)stored_bytes(&after) - (was_live ? (int64_t)stored_bytes(before) : 0);
		if (table_has_fingerprint(record->table))
			record->fingerprint_delta = stored_fingerprint(pending->key, &after) -
						    (was_live ? stored_fingerprint(pending->key, before) : 0);
		pending->stored = after;
		pending->exists = pending->dirty = true;
	}
	group->bytes += record->key.n + record->image.n + 64;
	return fold_record(
	    work, entry ? UNIT_LOCAL : unit->unit.kind, entry ? work->id : unit->unit.origin, record);
}

tide_err
group__may_write(const struct group *group, uint64_t table_id)
{
	const struct table_fold *table = fold_table(&group->shard->work, table_id);

	if (table == NULL || table->state != REPLICA_ACTIVE)
		return TIDE_NOTFOUND;
	if (group->shard->work.fork.reason != FORK_NONE)
		return TIDE_UNAVAILABLE;
	return group->clock.trouble != CLOCK_FINE ? TIDE_CLOCK : TIDE_OK;
}

bool
group__changes(const struct group_write *write, const struct pending *pending)
{
	return !write->tombstone || (pending->exists && !pending->stored.tombstone);
}

tide_err
group__write(struct group *group, struct unit_build *unit, struct pending *pending,
    const struct group_write *write, const struct group_txn *txn)
{
	struct shard *shard = group->shard;
	struct bytes image = write->image;
	struct stored before = pending->exists ? pending->stored : (struct stored){0};
	struct record *record;
	tide_err rc;

	if (image.n > 0 && (image = arena_copy(&group->arena, image)).at == NULL)
		return TIDE_NOMEM;
	if ((record = group__record(group, unit)) == NULL)
		return TIDE_NOMEM;
	record->table = write->table;
	record->key = pending->key;
	record->image = image;
	record->tombstone = write->tombstone;
	record->has_before = write->keep_before;
	record->expired = write->expired;
	if (write->keep_before && pending->exists && !before.tombstone)
		record->before = before.image;
	record->seq = unit->unit.first_seq + unit->unit.n_records;
	record->parts = txn->parts;
	record->n_parts = txn->n_parts;
	group__own(group, record, txn->clock);
	if ((rc = group__apply(group, unit, record, false, pending)) != TIDE_OK) {
		shard->sealed = true; /* `work` is half a record ahead: only memory can fail here */
		return rc;
	}
	unit->unit.n_records++;
	fold_seq(&shard->work, group->next_seq++); /* the unit's notes, if any, have moved up by one */
	return TIDE_OK;
}

static tide_err
write_item(struct group *group, const struct group_write *write)
{
	struct group_txn alone = {.clock = hlc_tick(group->shard->work.clock, group->now_ms)};
	struct unit_build *unit;
	struct pending *pending;
	tide_err rc;

	if ((rc = group__may_write(group, write->table)) != TIDE_OK)
		return rc;
	if ((rc = group__pending(group, write->table, write->key, &pending)) != TIDE_OK)
		return rc;
	if (!group__changes(write, pending))
		return TIDE_OK; /* nothing there: DynamoDB writes no stream record either */
	if ((unit = group__local_unit(group, write->table)) == NULL)
		return TIDE_NOMEM;
	return group__write(group, unit, pending, write, &alone);
}

tide_err
group_put(struct group *group, uint64_t table, struct bytes key, struct bytes image, bool keep_before)
{
	struct group_write write = {.table = table, .key = key, .image = image, .keep_before = keep_before};

	return write_item(group, &write);
}

tide_err
group_delete(struct group *group, uint64_t table, struct bytes key, bool keep_before)
{
	struct group_write write = {
	    .table = table, .key = key, .tombstone = true, .keep_before = keep_before};

	return write_item(group, &write);
}

tide_err
group_expire(struct group *group, uint64_t table, struct bytes key, bool keep_before)
{
	struct group_write write = {
	    .table = table, .key = key, .tombstone = true, .keep_before = keep_before, .expired = true};

	return write_item(group, &write);
}
