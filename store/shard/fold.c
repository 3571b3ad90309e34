#include "store/shard/fold.h"

#include <stdlib.h>

static const uint64_t built_in[] = {TABLE_CATALOG, TABLE_CONFLICTS, TABLE_REGIONAL, TABLE_TOKENS};

tide_err
fold__built_in(struct fold *fold)
{
	for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
		struct table_fold *table = fold_table(fold, built_in[i]);

		if (table != NULL)
			continue;
		if ((table = fold_table_make(fold, built_in[i])) == NULL)
			return TIDE_NOMEM;
		table->state = REPLICA_ACTIVE;
		table->shared = !table_is_own(built_in[i]);
	}
	return TIDE_OK;
}

tide_err
fold_init(struct fold *fold, struct jid id)
{
	tide_err rc;

	*fold = (struct fold){.id = id};
	if ((rc = fold__built_in(fold)) != TIDE_OK)
		fold_fini(fold);
	return rc;
}

void
boot_fini(struct boot *boot)
{
	buf_fini(&boot->cursor);
	vector_fini(&boot->vector);
	vector_fini(&boot->position);
	*boot = (struct boot){0};
}

static void
table_fini(struct table_fold *table)
{
	if (table == NULL)
		return;
	vector_fini(&table->vector);
	vector_fini(&table->position);
	vector_fini(&table->floor);
	boot_fini(&table->boot);
	fold__indexes_fini(table);
	free(table);
}

void
fold_fini(struct fold *fold)
{
	for (size_t i = 0; i < fold->n_tables; i++)
		table_fini(fold->tables[i]);
	free(fold->tables);
	free(fold->members);
	vector_fini(&fold->position);
	*fold = (struct fold){0};
}

static size_t
lower_bound(const struct fold *fold, uint64_t id)
{
	size_t low = 0, high = fold->n_tables;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (fold->tables[middle]->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct table_fold *
fold_table(const struct fold *fold, uint64_t id)
{
	size_t i = lower_bound(fold, id);

	return i < fold->n_tables && fold->tables[i]->id == id ? fold->tables[i] : NULL;
}

struct table_fold *
fold_table_make(struct fold *fold, uint64_t id)
{
	size_t i = lower_bound(fold, id), room;
	struct table_fold *table, **tables;

	if (i < fold->n_tables && fold->tables[i]->id == id)
		return fold->tables[i];
	if (fold->n_tables == fold->tables_room) {
		room = fold->tables_room == 0 ? 16 : fold->tables_room * 2;
		if ((tables = realloc(fold->tables, room * sizeof *tables)) == NULL)
			return NULL;
		fold->tables = tables;
		fold->tables_room = room;
	}
	if ((table = calloc(1, sizeof *table)) == NULL)
		return NULL;
	table->id = id;
	memmove(fold->tables + i + 1, fold->tables + i, (fold->n_tables - i) * sizeof *fold->tables);
	fold->tables[i] = table;
	fold->n_tables++;
	return table;
}

const struct member_fold *
fold_member(const struct fold *fold, uint8_t region)
{
	for (size_t i = 0; i < fold->n_members; i++)
		if (fold->members[i].region == region)
			return &fold->members[i];
	return NULL;
}

static struct member_fold *
member_make(struct fold *fold, uint8_t region)
{
	struct member_fold *members;
	size_t i = 0;

	while (i < fold->n_members && fold->members[i].region < region)
		i++;
	if (i < fold->n_members && fold->members[i].region == region)
		return &fold->members[i];
	if (fold->n_members == fold->members_room) {
		size_t room = fold->members_room == 0 ? 8 : fold->members_room * 2;

		if ((members = realloc(fold->members, room * sizeof *members)) == NULL)
			return NULL;
		fold->members = members;
		fold->members_room = room;
	}
	memmove(fold->members + i + 1, fold->members + i, (fold->n_members - i) * sizeof *fold->members);
	fold->members[i] = (struct member_fold){.region = region};
	fold->n_members++;
	return &fold->members[i];
}

static const struct vector *
table_position(const struct fold *fold, const struct table_fold *table)
{
	bool own = table->state == REPLICA_CATCHUP || table->state == REPLICA_MERGING;

	return own ? &table->position : &fold->position;
}

struct mark
fold_position(const struct fold *fold, const struct table_fold *table, struct jid origin)
{
	return vector_get(table_position(fold, table), origin);
}

struct mark
fold_own_last(const struct fold *fold)
{
	struct mark last = {0, fold->own_clock};

	for (size_t i = 0; i < fold->n_tables; i++)
		if (fold->tables[i]->own_last.seq > last.seq)
			last.seq = fold->tables[i]->own_last.seq;
	return last;
}

tide_err
fold_record(struct fold *fold, enum unit_kind kind, struct jid origin, const struct record *record)
{
	struct table_fold *table = fold_table_make(fold, record->table);
	struct mark mark = {record->origin_seq, record->version.clock};
	bool own = jid_same(origin, fold->id);
	tide_err rc;

	if (table == NULL)
		return TIDE_NOMEM;
	table->items += (uint64_t)(int64_t)record->count_delta;
	table->bytes += (uint64_t)record->bytes_delta;
	table->fingerprint += record->fingerprint_delta;
	if (record->n_index_changes > 0)
		fold__index_changes(table, record->index_changes, record->n_index_changes);
	fold->clock = hlc_max(fold->clock, record->version.clock);
	fold_seq(fold, record->seq);
	table->last_seq = record->seq;
	if (kind == UNIT_SNAPSHOT)
		return TIDE_OK; /* its vectors come with the last piece */
	if ((rc = vector_set(&table->vector, origin, mark)) != TIDE_OK)
		return rc;
	if (own) {
		table->own_last = mark;
		fold->own_clock = record->version.clock;
		return vector_raise(&fold->position, origin, mark);
	}
	if (table->state == REPLICA_CATCHUP)
		return vector_raise(&table->position, origin, mark);
	return vector_raise(&fold->position, origin, mark);
}

tide_err
fold__forget(const struct fold *fold, struct table_fold *table)
{
	struct mark own = vector_get(&table->floor, fold->id);

	vector_fini(&table->vector);
	vector_fini(&table->position);
	vector_fini(&table->floor);
	boot_fini(&table->boot);
	table->items = table->bytes = 0;
	table->fingerprint = 0;
	fold__indexes_empty(table);
	/* What was trimmed of our own records is not in the journal of our next replica either. */
	return own.seq > 0 ? vector_set(&table->floor, fold->id, own) : TIDE_OK;
}

/*
 * The table joins the region's cut, which both have reached. Where one of them does not show it, the other does: "complete to just
 * before this record" comes without a clock, while what a writer has seen is told by clocks; and what was only known to be
 * complete is forgotten in a crash, while what was loaded is in the journal.
 */
static tide_err
join(struct fold *fold, struct table_fold *table)
{
	struct mark own = vector_get(&table->floor, fold->id);
	tide_err rc = TIDE_OK;

	for (size_t i = 0; i < table->position.n && rc == TIDE_OK; i++) {
		const struct vector_entry *entry = &table->position.entries[i];
		struct mark mark = vector_get(&fold->position, entry->origin);

		if (jid_same(entry->origin, fold->id) || mark.seq > entry->mark.seq)
			continue;
		mark.clock = hlc_max(mark.clock, entry->mark.clock);
		mark.seq = entry->mark.seq;
		rc = vector_set(&fold->position, entry->origin, mark);
	}
	/*
	 * Records below were loaded, or came in after later ones of other tables: not in origin order here. The merge of one that rejoined has
	 * said so already, of those journals of which it is true.
	 */
	if (rc == TIDE_OK && table->rejoin == REJOIN_FOLLOWING) {
		vector_fini(&table->position);
		return TIDE_OK;
	}
	if (rc == TIDE_OK)
		rc = vector_copy(&table->floor, &fold->position);
	if (rc == TIDE_OK)
		rc = vector_set(&table->floor, fold->id, own); /* our own are all in order */
	vector_fini(&table->position);
	return rc;
}

static tide_err
note_state(struct fold *fold, struct table_fold *table, const struct note *note)
{
	tide_err rc = TIDE_OK;

	if (note->state == REPLICA_ABSENT || note->state == REPLICA_CREATING) {
		rc = fold__forget(fold, table);
		table->rejoin = REJOIN_NONE;
		if (note->state == REPLICA_ABSENT)
			fold__indexes_fini(table);
	}
	if (note->state == REPLICA_ACTIVE && table->state == REPLICA_CATCHUP) {
		rc = join(fold, table);
		if (table->rejoin == REJOIN_FOLLOWING)
			table->rejoin = REJOIN_NONE;
	}
	if (rc == TIDE_OK)
		table->state = note->state;
	return rc;
}

static tide_err
note_load(struct fold *fold, struct table_fold *table, const struct note *note)
{
	struct boot *boot = &table->boot;
	tide_err rc;

	if (note->step == LOAD_RESTART)
		return fold__forget(fold, table);
	if (!boot->under_way) {
		boot->under_way = true;
		boot->source = note->region;
		boot->snapshot = note->number;
		if ((rc = vector_copy(&boot->vector, &note->vector)) != TIDE_OK ||
		    (rc = vector_copy(&boot->position, &note->position)) != TIDE_OK)
			return rc;
	}
	fold->clock = hlc_max(fold->clock, note->clock);
	boot->loaded += note->count;
	boot->expected = note->expected;
	buf_clear(&boot->cursor);
	buf_append(&boot->cursor, note->key.at, note->key.n);
	if ((rc = buf_check(&boot->cursor)) != TIDE_OK || note->step != LOAD_DONE)
		return rc;
	if ((rc = vector_copy(&table->vector, &boot->vector)) != TIDE_OK ||
	    (rc = vector_copy(&table->position, &boot->position)) != TIDE_OK)
		return rc;
	boot_fini(boot);
	table->state = REPLICA_CATCHUP;
	if (is_staged(table->id) && (table = fold_table(fold, table->id & ~STAGED_BIT)) != NULL)
		table->rejoin = REJOIN_LOADED;
	return TIDE_OK;
}

static tide_err
note_member(struct fold *fold, const struct note *note)
{
	struct member_fold *member = member_make(fold, note->region);

	if (member == NULL)
		return TIDE_NOMEM;
	member->incarnation = note->incarnation;
	member->nonce = note->number;
	member->lost = note->flag;
	return TIDE_OK;
}

static void
note_closed(struct fold *fold, struct jid origin)
{
	uint16_t *closed = &fold->closed[jid_region(origin)];

	if (jid_incarnation(origin) > *closed)
		*closed = jid_incarnation(origin);
}

/* Of the region, not of one of its tables. */
static bool
is_regions(enum note_kind kind)
{
	return kind == NOTE_MEMBER || kind == NOTE_CLOCK || kind == NOTE_CLOSED || kind == NOTE_FORKED;
}

tide_err
fold_note(struct fold *fold, const struct note *note)
{
	struct table_fold *table = NULL;

	if (note->table != 0 && (table = fold_table_make(fold, note->table)) == NULL)
		return TIDE_NOMEM;
	if (table == NULL && !is_regions(note->kind))
		return TIDE_CORRUPT;
	switch (note->kind) {
	case NOTE_CLOSED:
		note_closed(fold, note->origin);
		return TIDE_OK;
	case NOTE_FORKED:
		fold->fork = (struct fork){note->flag ? FORK_LOST : FORK_COPY, note->region, note->number};
		return TIDE_OK;
	case NOTE_STATE:
		return note_state(fold, table, note);
	case NOTE_SHARED:
		table->shared = note->flag;
		return TIDE_OK;
	case NOTE_MEMBER:
		return note_member(fold, note);
	case NOTE_CLOCK:
		fold->clock = hlc_max(fold->clock, note->clock);
		fold->own_clock = hlc_max(fold->own_clock, note->clock);
		return TIDE_OK;
	case NOTE_LOAD:
		return note_load(fold, table, note);
	case NOTE_COLLECT:
		if (note->flag) {
			table->items--;
			table->bytes -= note->number;
		}
		return TIDE_OK;
	case NOTE_FLOOR:
		return vector_raise(&table->floor, note->origin, (struct mark){note->number, note->clock});
	case NOTE_REJOIN:
		return fold__rejoin(fold, table, note);
	case NOTE_DROP:
		if (note->flag) {
			table->items--;
			table->bytes -= note->number;
			table->fingerprint -= note->fingerprint;
		}
		fold__index_changes(table, note->index_changes, note->n_index_changes);
		return TIDE_OK;
	case NOTE_INDEX:
		return fold__index(table, note);
	}
	return TIDE_OK; /* of a later version: nothing we know */
}

static tide_err
fold_notes(struct fold *fold, struct arena *arena, struct bytes field)
{
	struct note_walk walk = {field};
	struct note note;
	tide_err rc;

	while ((rc = note_next(&walk, arena, &note)) == TIDE_OK)
		if ((rc = fold_note(fold, &note)) != TIDE_OK)
			return rc;
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

tide_err
fold_unit(struct fold *fold, struct arena *arena, const struct unit *unit)
{
	tide_err rc;

	for (uint32_t i = 0; i < unit->n_records; i++)
		if ((rc = fold_record(fold, unit->kind, unit->origin, &unit->records[i])) != TIDE_OK)
			return rc;
	for (uint32_t i = 0; i < unit->n_entries; i++) {
		fold->conflicts++;
		if ((rc = fold_record(fold, UNIT_LOCAL, fold->id, &unit->entries[i])) != TIDE_OK)
			return rc;
	}
	if (unit->note.at != NULL && (rc = fold_notes(fold, arena, unit->note)) != TIDE_OK)
		return rc;
	fold_seq(fold, unit_last_seq(unit));
	return TIDE_OK;
}

tide_err
fold_progress(struct fold *fold, struct jid origin, struct mark upto)
{
	tide_err rc;

	for (size_t i = 0; i < fold->n_tables; i++) {
		struct table_fold *table = fold->tables[i];

		if (table->state == REPLICA_CATCHUP && table->shared &&
		    (rc = vector_raise(&table->position, origin, upto)) != TIDE_OK)
			return rc;
	}
	return vector_raise(&fold->position, origin, upto);
}
