/* A region's own bookkeeping, as notes. */
#include <stdlib.h>

#include "store/shard/index_priv.h"

/* May this note follow what the unit has, when on recovery it comes after all of the unit's records? */
static bool
may_join(const struct unit_build *unit, const struct note *note)
{
	if (unit->unit.kind != UNIT_LOCAL)
		return unit->unit.kind == UNIT_NOTE;
	for (uint32_t i = 0; i < unit->unit.n_records; i++)
		if (unit->unit.records[i].table == note->table)
			return false;
	return true;
}

static tide_err
add_noted(struct group *group, struct unit_build *unit, uint64_t table)
{
	for (uint32_t i = 0; i < unit->n_noted; i++)
		if (unit->noted[i] == table)
			return TIDE_OK;
	if (unit->n_noted == unit->noted_room) {
		uint32_t room = unit->noted_room == 0 ? 4 : unit->noted_room * 2;
		uint64_t *noted = arena_alloc(&group->arena, room * sizeof *noted);

		if (noted == NULL)
			return TIDE_NOMEM;
		if (unit->n_noted > 0)
			memcpy(noted, unit->noted, unit->n_noted * sizeof *noted);
		unit->noted = noted;
		unit->noted_room = room;
	}
	unit->noted[unit->n_noted++] = table;
	return TIDE_OK;
}

tide_err
group__note(struct group *group, const struct note *note)
{
	struct unit_build *unit = group->last;
	size_t had;
	tide_err rc;

	if ((unit == NULL || !may_join(unit, note)) &&
	    (unit = group__unit(group, UNIT_NOTE, JID_NONE, NULL)) == NULL)
		return TIDE_NOMEM;
	if ((rc = add_noted(group, unit, note->table)) != TIDE_OK)
		return rc;
	if (unit->note.n == 0) /* all notes of one unit share its sequence number */
		fold_seq(&group->shard->work, group->next_seq++);
	had = unit->note.n;
	note_encode(note, &unit->note);
	if ((rc = buf_check(&unit->note)) == TIDE_OK) {
		group->bytes += unit->note.n - had;
		rc = fold_note(&group->shard->work, note);
	}
	if (rc != TIDE_OK)
		group->shard->sealed = true; /* half a note must not get into the journal */
	return rc;
}

tide_err
group__clear(struct group *group, uint64_t table)
{
	uint64_t *cleared = realloc(group->cleared, (group->n_cleared + 1) * sizeof *cleared);

	if (cleared == NULL)
		return TIDE_NOMEM;
	group->cleared = cleared;
	cleared[group->n_cleared++] = table;
	/* What the group wrote before goes with the rest. */
	index__forget(group, table, 0);
	for (size_t i = 0; i < group->n_buckets; i++)
		for (struct pending *p = group->buckets[i]; p != NULL; p = p->next)
			if (p->table == table)
				p->exists = p->dirty = false;
	return TIDE_OK;
}

/* A note that takes a table's items with it. Nothing is cleared that the journal does not say. */
static tide_err
note_clearing(struct group *group, const struct note *note)
{
	tide_err rc;

	if ((rc = group__note(group, note)) != TIDE_OK)
		return rc;
	if ((rc = group__clear(group, note->table)) != TIDE_OK)
		group->shard->sealed = true; /* the journal must not say what is not done */
	return rc;
}

tide_err
group_table_state(struct group *group, uint64_t table, enum replica_state state)
{
	struct note note = {.kind = NOTE_STATE, .table = table, .state = state};
	struct note copy = {.kind = NOTE_STATE, .table = staged_id(table), .state = REPLICA_ABSENT};
	const struct table_fold *staged = fold_table(&group->shard->work, copy.table);
	tide_err rc = TIDE_OK;

	if (state != REPLICA_ABSENT && state != REPLICA_CREATING)
		return group__note(group, &note);
	/* A snapshot that was loaded to be merged with it goes, too. */
	if (staged != NULL && staged->state != REPLICA_ABSENT)
		rc = note_clearing(group, &copy);
	return rc == TIDE_OK ? note_clearing(group, &note) : rc;
}

tide_err
group_table_shared(struct group *group, uint64_t table, bool shared)
{
	struct note note = {.kind = NOTE_SHARED, .table = table, .flag = shared};
	const struct table_fold *fold = fold_table(&group->shard->work, table);

	if (fold != NULL && fold->shared == shared)
		return TIDE_OK;
	return group__note(group, &note);
}

tide_err
group_note_member(struct group *group, uint8_t region, uint16_t incarnation, uint64_t nonce, bool lost)
{
	struct note note = {
	    .kind = NOTE_MEMBER, .region = region, .incarnation = incarnation, .number = nonce, .flag = lost};
	const struct member_fold *known = fold_member(&group->shard->work, region);

	/* What is known of a region only grows: others count on deaths that we told of (close.c). */
	if (known != NULL &&
	    (known->incarnation > incarnation || (known->incarnation == incarnation && known->lost && !lost)))
		return TIDE_OK;
	if (known != NULL && known->incarnation == incarnation && known->nonce == nonce &&
	    known->lost == lost)
		return TIDE_OK;
	return group__note(group, &note);
}

tide_err
group_counted(struct group *group, uint8_t region, struct hlc clock)
{
	if (group->n_counted == sizeof group->counted / sizeof *group->counted)
		return TIDE_AGAIN;
	group->counted[group->n_counted].region = region;
	group->counted[group->n_counted++].clock = clock;
	group->shard->work.clock = hlc_max(group->shard->work.clock, clock);
	return TIDE_OK;
}

tide_err
group_clock(struct group *group)
{
	struct shard *shard = group->shard;
	struct note note = {.kind = NOTE_CLOCK, .clock = hlc_tick(shard->work.clock, group->now_ms)};

	return group__note(group, &note);
}

tide_err
group_load_restart(struct group *group, uint64_t table)
{
	struct note note = {.kind = NOTE_LOAD, .table = table, .step = LOAD_RESTART};
	const struct table_fold *replica = fold_table(&group->shard->work, table);

	if (replica != NULL && replica->rejoin == REJOIN_LOADING)
		note.table = staged_id(table);
	return note_clearing(group, &note);
}
