/* Is an index what its table's items make it? And making it so. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "store/shard/check.h"
#include "store/shard/index_check.h"
#include "store/shard/index_priv.h"

#define NAMED_MAX 20
#define BATCH_BYTES (4u << 20)

/* An index as it was at one moment, with a snapshot of the store of that moment. */
struct subject {
	struct shard *shard;
	struct kv_snapshot *snapshot;
	uint64_t table;
	struct buf form, cursor;
	struct index_def def; /* borrows from `form` */
	struct index_fold state; /* for what it covers, and its totals; borrows */
	struct buf key, entry, value, found; /* scratch */
	uint64_t items, bytes, entries; /* counted */
	check_report_fn report;
	void *arg;
	uint64_t faults;
};

static void __attribute__((format(printf, 2, 3))) fault(struct subject *s, const char *format, ...)
{
	char text[512], line[600];
	va_list args;

	if (s->faults++ >= NAMED_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	snprintf(
	    line, sizeof line, "table %016" PRIx64 " index %016" PRIx64 ": %s", s->table, s->def.id, text);
	s->report(s->arg, line);
}

static void
subject_fini(struct subject *s)
{
	if (s->snapshot != NULL)
		kv_snapshot_release(s->shard->kv, s->snapshot);
	buf_fini(&s->form);
	buf_fini(&s->cursor);
	buf_fini(&s->key);
	buf_fini(&s->entry);
	buf_fini(&s->value);
	buf_fini(&s->found);
}

static tide_err
take(struct subject *s, uint64_t id)
{
	const struct table_fold *table;
	const struct index_fold *index = NULL;
	tide_err rc = TIDE_NOTFOUND;

	pthread_mutex_lock(&s->shard->lock);
	if ((table = fold_table(&s->shard->live, s->table)) != NULL)
		index = fold_index(table, id);
	if (index != NULL) {
		buf_append(&s->form, index->form.at, index->form.n);
		buf_append(&s->cursor, index->cursor.at, index->cursor.n);
		s->state = *index;
		s->snapshot = kv_snapshot_take(s->shard->kv);
		rc = s->form.failed || s->cursor.failed || s->snapshot == NULL ? TIDE_NOMEM : TIDE_OK;
	}
	pthread_mutex_unlock(&s->shard->lock);
	s->state.cursor = s->cursor;
	return rc == TIDE_OK ? index_def_decode(buf_bytes(&s->form), &s->def) : rc;
}

/* The entry that an item is to have; false: none. */
static bool
expected(struct subject *s, struct bytes item_key, const struct stored *stored, uint64_t *bytes)
{
	buf_clear(&s->entry);
	buf_clear(&s->value);
	return !stored->tombstone && fold_index_covers(&s->state, item_key) &&
	       index_entry(&s->def, item_key, stored->image, &s->entry, &s->value, bytes);
}

static tide_err
check_item(struct subject *s, struct bytes item_key, const struct stored *stored)
{
	char name[SHARD_KEY_TEXT_MAX];
	uint64_t bytes;
	tide_err rc;

	if (!expected(s, item_key, stored, &bytes))
		return TIDE_OK;
	s->items++;
	s->bytes += bytes;
	buf_clear(&s->key);
	index_space_key(s->table, s->def.id, buf_bytes(&s->entry), &s->key);
	if ((rc = buf_check(&s->key)) != TIDE_OK || (rc = buf_check(&s->value)) != TIDE_OK)
		return rc;
	rc = kv_get(s->shard->kv, s->snapshot, buf_bytes(&s->key), &s->found);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		return rc;
	shard_key_text(item_key, name, sizeof name);
	if (rc == TIDE_NOTFOUND)
		fault(s, "the item %s has no entry", name);
	else if (!bytes_equal(buf_bytes(&s->found), buf_bytes(&s->value)))
		fault(s, "the entry of the item %s is not its projection", name);
	return TIDE_OK;
}

static tide_err
check_items(struct subject *s)
{
	struct shard_scan_range range = {.table = s->table};
	struct shard_scan *scan;
	struct stored stored;
	struct bytes key;
	tide_err rc;

	if ((rc = shard__scan_open(s->shard, s->snapshot, &range, &scan)) != TIDE_OK)
		return rc;
	while ((rc = shard_scan_next(scan, &key, &stored)) == TIDE_OK)
		if ((rc = check_item(s, key, &stored)) != TIDE_OK)
			break;
	shard_scan_close(scan);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

/* Is there an item that makes this entry? What is stored in it has been compared. */
static tide_err
check_entry(struct subject *s, struct bytes entry_key)
{
	char name[SHARD_KEY_TEXT_MAX] = "";
	struct stored stored = {.tombstone = true};
	struct bytes item_key;
	uint64_t bytes;
	tide_err rc;

	s->entries++;
	if (!index_item_key(&s->def, entry_key, &item_key)) {
		fault(s, "an entry's key cannot be read");
		return TIDE_OK;
	}
	buf_clear(&s->key);
	space_key(s->table, item_key, &s->key);
	if ((rc = buf_check(&s->key)) != TIDE_OK)
		return rc;
	rc = kv_get(s->shard->kv, s->snapshot, buf_bytes(&s->key), &s->found);
	if (rc == TIDE_OK)
		rc = stored_decode(buf_bytes(&s->found), &stored);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		return rc;
	if (rc == TIDE_OK && expected(s, item_key, &stored, &bytes) &&
	    bytes_equal(buf_bytes(&s->entry), entry_key))
		return TIDE_OK;
	shard_key_text(item_key, name, sizeof name);
	fault(s, "an entry of the item %s, which is not so", name);
	return TIDE_OK;
}

static tide_err
check_entries(struct subject *s)
{
	struct buf from = {0};
	struct kv_iterator *it;
	struct bytes key;
	tide_err rc;

	index_space_key(s->table, s->def.id, BYTES_NONE, &from);
	it = kv_iterator_new(s->shard->kv, s->snapshot);
	rc = it == NULL ? TIDE_NOMEM : buf_check(&from);
	if (rc == TIDE_OK)
		kv_iterator_seek(it, buf_bytes(&from));
	while (rc == TIDE_OK && (rc = kv_iterator_check(it)) == TIDE_OK && kv_iterator_valid(it)) {
		key = kv_iterator_key(it);
		if (key.n < INDEX_PREFIX || memcmp(key.at, from.at, INDEX_PREFIX) != 0)
			break;
		if ((rc = check_entry(s, index_space_entry(key))) == TIDE_OK)
			kv_iterator_next(it);
	}
	if (it != NULL)
		kv_iterator_free(it);
	buf_fini(&from);
	return rc;
}

static tide_err
check_one(struct shard *shard, uint64_t table, uint64_t index, check_report_fn report, void *arg,
    uint64_t *faults, uint64_t *entries)
{
	struct subject s = {.shard = shard, .table = table, .report = report, .arg = arg};
	tide_err rc;

	if ((rc = take(&s, index)) == TIDE_OK && (rc = check_items(&s)) == TIDE_OK)
		rc = check_entries(&s);
	if (rc == TIDE_OK && (s.items != s.state.items || s.bytes != s.state.bytes))
		fault(&s,
		    "the items make %" PRIu64 " entries of %" PRIu64 " bytes, the journal adds up to %" PRIu64
		    " of %" PRIu64,
		    s.items, s.bytes, s.state.items, s.state.bytes);
	*faults = s.faults;
	*entries = s.entries;
	subject_fini(&s);
	return rc;
}

tide_err
shard_index_check(
    struct shard *shard, uint64_t table, uint64_t index, check_report_fn report, void *arg, uint64_t *faults)
{
	uint64_t entries;

	return check_one(shard, table, index, report, arg, faults, &entries);
}

/* --- all of a shard that nobody else has open --- */

/* Each index that there are entries of, but no definition. */
static tide_err
each_stray(struct shard *shard, tide_err (*each)(void *arg, uint64_t table, uint64_t index), void *arg)
{
	static const uint8_t first = SPACE_INDEXES;
	struct kv_iterator *it = kv_iterator_new(shard->kv, NULL);
	struct buf next = {0};
	tide_err rc = it == NULL ? TIDE_NOMEM : TIDE_OK;

	buf_append_byte(&next, first);
	while (rc == TIDE_OK && (rc = buf_check(&next)) == TIDE_OK) {
		const struct table_fold *table;
		uint64_t table_id, index;
		struct bytes key;

		kv_iterator_seek(it, buf_bytes(&next));
		if ((rc = kv_iterator_check(it)) != TIDE_OK || !kv_iterator_valid(it))
			break;
		key = kv_iterator_key(it);
		if (key.at[0] != SPACE_INDEXES || key.n < INDEX_PREFIX)
			break;
		table_id = bytes_u64(key.at + 1);
		index = bytes_u64(key.at + 9);
		table = fold_table(&shard->live, table_id);
		if (table == NULL || fold_index(table, index) == NULL)
			rc = each(arg, table_id, index);
		buf_clear(&next);
		index_space_key(table_id, index, BYTES_NONE, &next);
		for (size_t i = INDEX_PREFIX; i > 1 && !next.failed && ++next.at[i - 1] == 0; i--)
			;
	}
	if (it != NULL)
		kv_iterator_free(it);
	buf_fini(&next);
	return rc;
}

struct all {
	struct shard *shard;
	check_report_fn report;
	void *arg;
	struct index_check_counts *counts;
};

static tide_err
tell_stray(void *arg, uint64_t table, uint64_t index)
{
	struct all *all = arg;
	char line[128];

	snprintf(line, sizeof line,
	    "table %016" PRIx64 " index %016" PRIx64 ": entries of an index that is not there", table, index);
	all->counts->faults++;
	all->report(all->arg, line);
	return TIDE_OK;
}

static void
cannot_read(struct all *all, uint64_t table, uint64_t index, tide_err rc)
{
	char line[256];

	if (index != 0)
		snprintf(line, sizeof line,
		    "table %016" PRIx64 " index %016" PRIx64 ": it cannot be read: %s", table, index,
		    tide_err_text(rc));
	else
		snprintf(line, sizeof line, "entries of indexes cannot be read: %s", tide_err_text(rc));
	all->counts->faults++;
	all->report(all->arg, line);
}

void
index_check_all(struct shard *shard, check_report_fn report, void *arg, struct index_check_counts *counts)
{
	struct all all = {shard, report, arg, counts};
	tide_err rc;

	*counts = (struct index_check_counts){0};
	for (size_t t = 0; t < shard->live.n_tables; t++)
		for (uint32_t i = 0; i < shard->live.tables[t]->n_indexes; i++) {
			uint64_t table = shard->live.tables[t]->id, faults = 0, entries = 0;
			uint64_t index = shard->live.tables[t]->indexes[i].def.id;

			rc = check_one(shard, table, index, report, arg, &faults, &entries);
			counts->indexes++;
			counts->entries += entries;
			counts->faults += faults;
			if (rc != TIDE_OK)
				cannot_read(&all, table, index, rc);
		}
	if ((rc = each_stray(shard, tell_stray, &all)) != TIDE_OK)
		cannot_read(&all, 0, 0, rc);
}

/* --- repairing --- */

struct refill {
	struct shard *shard;
	struct table_fold *table;
	struct index_fold *index;
	struct kv_batch *batch;
	struct buf key, entry, value;
	size_t bytes;
	uint64_t items, entry_bytes;
};

static tide_err
flush(struct refill *refill)
{
	tide_err rc = kv_write(refill->shard->kv, refill->batch);

	kv_batch_clear(refill->batch);
	refill->bytes = 0;
	return rc;
}

static tide_err
refill_one(void *arg, struct bytes item_key, const struct stored *stored, bool *stop)
{
	struct refill *refill = arg;
	uint64_t bytes = 0;
	tide_err rc;

	(void)stop;
	buf_clear(&refill->key);
	buf_clear(&refill->entry);
	buf_clear(&refill->value);
	if (!fold_index_covers(refill->index, item_key) ||
	    !index_entry(
		&refill->index->def, item_key, stored->image, &refill->entry, &refill->value, &bytes))
		return TIDE_OK;
	index_space_key(refill->table->id, refill->index->def.id, buf_bytes(&refill->entry), &refill->key);
	if ((rc = buf_check(&refill->key)) != TIDE_OK || (rc = buf_check(&refill->value)) != TIDE_OK)
		return rc;
	kv_batch_put(refill->batch, buf_bytes(&refill->key), buf_bytes(&refill->value));
	refill->items++;
	refill->entry_bytes += bytes;
	refill->bytes += refill->key.n + refill->value.n;
	return refill->bytes > BATCH_BYTES ? flush(refill) : TIDE_OK;
}

/* Its entries, and its totals, from the items. */
static tide_err
refill_index(struct shard *shard, struct table_fold *table, struct index_fold *index)
{
	struct refill refill = {
	    .shard = shard, .table = table, .index = index, .batch = kv_batch_new(shard->kv)};
	struct index_walk walk = {.each = refill_one, .arg = &refill};
	bool ended;
	tide_err rc = refill.batch == NULL ? TIDE_NOMEM : index__clear(shard->kv, table->id, index->def.id);

	if (rc == TIDE_OK && (rc = index__walk(shard, table->id, &walk, &ended)) == TIDE_OK)
		rc = flush(&refill);
	if (rc == TIDE_OK) {
		index->items = refill.items;
		index->bytes = refill.entry_bytes;
	}
	if (refill.batch != NULL)
		kv_batch_free(refill.batch);
	buf_fini(&refill.key);
	buf_fini(&refill.entry);
	buf_fini(&refill.value);
	return rc;
}

static void
say_nothing(void *arg, const char *fault)
{
	(void)arg;
	(void)fault;
}

static tide_err
clear_stray(void *arg, uint64_t table, uint64_t index)
{
	return index__clear(((struct shard *)arg)->kv, table, index);
}

static tide_err
repair(struct shard *shard)
{
	tide_err rc = TIDE_OK;

	for (size_t t = 0; t < shard->live.n_tables && rc == TIDE_OK; t++) {
		struct table_fold *table = shard->live.tables[t];

		for (uint32_t i = 0; i < table->n_indexes && rc == TIDE_OK; i++) {
			uint64_t faults = 0;

			if (shard_index_check(shard, table->id, table->indexes[i].def.id, say_nothing, NULL,
				&faults) != TIDE_OK ||
			    faults > 0)
				rc = refill_index(shard, table, &table->indexes[i]);
		}
	}
	return rc == TIDE_OK ? each_stray(shard, clear_stray, shard) : rc;
}

tide_err
shard_repair_indexes(const struct shard_options *options, struct tide_error *error)
{
	struct shard_options open = *options;
	struct shard *shard;
	tide_err rc;

	open.create = false;
	if ((rc = shard_open(&open, &shard, error)) != TIDE_OK)
		return rc;
	if ((rc = repair(shard)) != TIDE_OK)
		tide_fail(error, rc, "the indexes cannot be made again: %s", tide_err_text(rc));
	else /* with its barrier: what a former checkpoint says of the totals is over */
		rc = shard_checkpoint(shard, error);
	shard_close(shard, false);
	return rc;
}
