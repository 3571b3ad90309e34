#include "store/shard/salvage.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/shard/group_priv.h"

/* Per look. */
#define FOUND_MAX 200
#define BYTES_MAX (1u << 20)

struct salvage {
	struct jid id; /* the journal that is read; JID_NONE: none */
	struct journal *journal;
	struct journal_reader *reader;
	struct arena arena; /* what was found */
	struct record *found;
	uint32_t n, room;
	bool ended;
};

struct salvage *
salvage_new(void)
{
	struct salvage *salvage = calloc(1, sizeof *salvage);

	if (salvage != NULL)
		arena_init(&salvage->arena, 0);
	return salvage;
}

static void
leave(struct salvage *salvage)
{
	journal_reader_close(salvage->reader);
	journal_close(salvage->journal);
	salvage->reader = NULL;
	salvage->journal = NULL;
	salvage->id = JID_NONE;
	salvage->n = 0;
	salvage->ended = false;
}

void
salvage_free(struct salvage *salvage)
{
	if (salvage == NULL)
		return;
	leave(salvage);
	arena_fini(&salvage->arena);
	free(salvage->found);
	free(salvage);
}

static tide_err
enter(struct shard *shard, struct salvage *salvage, struct jid id, struct tide_error *error)
{
	struct journal_options options = {.id = id, .read_only = true};
	char path[SHARD_PATH_MAX];
	tide_err rc;

	shard__retired_path(shard->dir, id, path);
	salvage->id = id;
	if ((rc = journal_open(shard->options.journal_plugin, path, &options, &salvage->journal, error)) !=
		TIDE_OK ||
	    (rc = journal_reader_open(
		 salvage->journal, journal_first_seq(salvage->journal), &salvage->reader, error)) != TIDE_OK)
		leave(salvage);
	return rc;
}

static bool
wanted(const struct salvage *salvage, const struct unit *unit)
{
	return unit->kind == UNIT_LOCAL && jid_same(unit->origin, salvage->id);
}

static tide_err
add(struct salvage *salvage, const struct record *from)
{
	struct record *to;

	if (from->table <= TABLE_BUILT_IN_MAX)
		return TIDE_OK;
	if (salvage->n == salvage->room) {
		uint32_t room = salvage->room == 0 ? FOUND_MAX : salvage->room * 2;

		if ((to = realloc(salvage->found, room * sizeof *to)) == NULL)
			return TIDE_NOMEM;
		salvage->found = to;
		salvage->room = room;
	}
	to = &salvage->found[salvage->n];
	*to = (struct record){.table = from->table,
	    .version = from->version,
	    .origin_seq = from->origin_seq,
	    .tombstone = from->tombstone,
	    .key = arena_copy(&salvage->arena, from->key),
	    .image = from->tombstone ? BYTES_NONE : arena_copy(&salvage->arena, from->image)};
	if (to->key.at == NULL || (!to->tombstone && to->image.at == NULL))
		return TIDE_NOMEM;
	salvage->n++;
	return TIDE_OK;
}

static tide_err
read_some(struct salvage *salvage, struct tide_error *error)
{
	struct bytes payload;
	struct arena arena;
	struct unit unit;
	size_t bytes = 0;
	tide_err rc = TIDE_OK;

	arena_init(&arena, 0);
	while (rc == TIDE_OK && salvage->n < FOUND_MAX && bytes < BYTES_MAX) {
		if ((rc = journal_reader_next(salvage->reader, &payload, NULL, error)) != TIDE_OK)
			break;
		bytes += payload.n;
		rc = unit_decode(&arena, payload, &unit, error);
		for (uint32_t i = 0; rc == TIDE_OK && wanted(salvage, &unit) && i < unit.n_records; i++)
			rc = add(salvage, &unit.records[i]);
		arena_reset(&arena);
	}
	arena_fini(&arena);
	salvage->ended = rc == TIDE_NOTFOUND;
	return salvage->ended ? TIDE_OK : rc;
}

tide_err
shard_salvage_look(struct shard *shard, struct salvage *salvage, bool *found, struct tide_error *error)
{
	struct jid id = JID_NONE;
	bool closed;
	tide_err rc;

	*found = false;
	pthread_mutex_lock(&shard->lock);
	if (shard->n_kept > 0)
		id = shard->kept[0];
	closed = fold_closed(&shard->live, id);
	pthread_mutex_unlock(&shard->lock);
	if (!jid_same(id, salvage->id) && !jid_same(salvage->id, JID_NONE))
		leave(salvage);
	if (jid_same(id, JID_NONE) || !closed)
		return TIDE_OK;
	if (jid_same(salvage->id, JID_NONE) && (rc = enter(shard, salvage, id, error)) != TIDE_OK)
		return rc;
	/* What the last look found, and nobody has taken yet, is still there. */
	if (salvage->n == 0 && !salvage->ended) {
		arena_reset(&salvage->arena);
		if ((rc = read_some(salvage, error)) != TIDE_OK) {
			leave(salvage);
			return rc;
		}
	}
	*found = salvage->n > 0 || salvage->ended;
	return TIDE_OK;
}

/* Shared tables that are not at the region's cut yet: what they lack may be on its way. */
static bool
loading(const struct fold *work)
{
	for (size_t i = 0; i < work->n_tables; i++)
		if (work->tables[i]->shared &&
		    (work->tables[i]->state == REPLICA_CREATING || work->tables[i]->state == REPLICA_CATCHUP))
			return true;
	return false;
}

/* Is this write in no region but here? A regional table was carried over whole. */
static bool
is_lost(const struct fold *work, const struct record *record)
{
	const struct table_fold *table = fold_table(work, record->table);
	struct mark mark;

	if (table == NULL || table->state == REPLICA_ABSENT)
		return true;
	if (!table->shared)
		return false;
	mark = vector_get(&table->vector, record->version.origin);
	/* A fork uses the same numbers again, but later. */
	return record->origin_seq > mark.seq || record->version.clock.v > mark.clock.v;
}

static tide_err
log_one(struct group *group, const struct record *record, uint32_t *logged)
{
	struct stored loser = {record->version, 0, record->tombstone, record->image};
	struct stored winner = {.tombstone = true};
	struct pending *pending;
	tide_err rc = group__pending(group, record->table, record->key, &pending);

	if (rc != TIDE_OK)
		return rc;
	if (pending->exists)
		winner = pending->stored;
	if (version_compare(winner.version, loser.version) == 0)
		return TIDE_OK;
	if ((rc = group__log_given_up(group, record->table, record->key, &loser, &winner)) == TIDE_OK)
		(*logged)++;
	return rc;
}

/* Everything of it is logged and on its way to disk; should that fail, the next start reads the journal once more. */
static tide_err
let_go(struct shard *shard, struct jid id, struct tide_error *error)
{
	struct identity identity = {.id = shard->work.id, .nonce = shard->nonce};
	tide_err rc;

	for (uint32_t i = 0; i < shard->n_kept; i++)
		if (!jid_same(shard->kept[i], id))
			identity.kept[identity.n_kept++] = shard->kept[i];
	if ((rc = identity_write(shard->dir, &identity, error)) != TIDE_OK)
		return rc;
	pthread_mutex_lock(&shard->lock);
	memcpy(shard->kept, identity.kept, sizeof shard->kept);
	shard->n_kept = identity.n_kept;
	pthread_mutex_unlock(&shard->lock);
	log_warn("SALVAGED",
	    "journal=%08x why=\"its writes that no other region had are in the conflict log\"", id.v);
	return TIDE_OK;
}

tide_err
group_salvage_found(struct group *group, struct salvage *salvage, uint32_t *logged, struct tide_error *error)
{
	const struct fold *work = &group->shard->work;
	tide_err rc = TIDE_OK;

	*logged = 0;
	if (loading(work))
		return tide_fail(error, TIDE_HELD, "tables are still being loaded");
	for (uint32_t i = 0; i < salvage->n && rc == TIDE_OK; i++)
		if (is_lost(work, &salvage->found[i]))
			rc = log_one(group, &salvage->found[i], logged);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	/* What this group writes is not on disk yet: the journal goes when a later look finds nothing more. */
	if (salvage->n == 0 && salvage->ended)
		return let_go(group->shard, salvage->id, error);
	salvage->n = 0;
	return TIDE_OK;
}
