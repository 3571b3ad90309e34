/* Copies of the fold for readers. */
#include "store/shard/shard_priv.h"

static tide_err
copy_vector(struct arena *arena, const struct vector *from, struct vector *to)
{
	*to = (struct vector){0};
	if (from->n == 0)
		return TIDE_OK;
	if ((to->entries = arena_alloc(arena, from->n * sizeof *to->entries)) == NULL)
		return TIDE_NOMEM;
	memcpy(to->entries, from->entries, from->n * sizeof *to->entries);
	to->n = to->room = from->n;
	return TIDE_OK;
}

static tide_err
copy_boot(struct arena *arena, const struct boot *from, struct boot_view *to)
{
	tide_err rc;

	*to = (struct boot_view){.under_way = from->under_way,
	    .source = from->source,
	    .snapshot = from->snapshot,
	    .items_loaded = from->loaded,
	    .items_expected = from->expected};
	if (!from->under_way)
		return TIDE_OK;
	to->cursor = arena_copy(arena, buf_bytes(&from->cursor));
	if (to->cursor.at == NULL)
		return TIDE_NOMEM;
	if ((rc = copy_vector(arena, &from->vector, &to->vector)) != TIDE_OK)
		return rc;
	return copy_vector(arena, &from->position, &to->position);
}

static tide_err
copy_table(struct arena *arena, const struct fold *fold, const struct table_fold *from, struct table_view *to)
{
	bool own = from->state == REPLICA_CATCHUP || from->state == REPLICA_MERGING;
	const struct table_fold *staged;
	tide_err rc;

	*to = (struct table_view){.id = from->id,
	    .state = from->state,
	    .shared = from->shared,
	    .items = from->items,
	    .bytes = from->bytes,
	    .fingerprint = from->fingerprint,
	    .rejoin = from->rejoin};
	if ((rc = copy_vector(arena, &from->vector, &to->vector)) != TIDE_OK ||
	    (rc = copy_vector(arena, own ? &from->position : &fold->position, &to->position)) != TIDE_OK)
		return rc;
	if (from->rejoin != REJOIN_LOADING && from->rejoin != REJOIN_LOADED)
		return copy_boot(arena, &from->boot, &to->boot);
	if ((staged = fold_table(fold, staged_id(from->id))) == NULL)
		return TIDE_OK;
	if (from->rejoin == REJOIN_LOADED)
		to->boot.items_loaded = to->boot.items_expected = staged->items;
	return from->rejoin == REJOIN_LOADED ? TIDE_OK : copy_boot(arena, &staged->boot, &to->boot);
}

static tide_err
copy_members(struct arena *arena, struct shard *shard, struct shard_view *out)
{
	const struct fold *live = &shard->live;

	out->members = arena_alloc(arena, (live->n_members + 1) * sizeof *out->members);
	if (out->members == NULL)
		return TIDE_NOMEM;
	for (; out->n_members < live->n_members; out->n_members++) {
		const struct member_fold *from = &live->members[out->n_members];

		out->members[out->n_members] = (struct member_view){.region = from->region,
		    .incarnation = from->incarnation,
		    .nonce = from->nonce,
		    .counted = shard->counted[from->region],
		    .lost = from->lost,
		    .ahead_ms = wall__ahead(shard, from->region),
		    .closed = live->closed[from->region]};
	}
	return TIDE_OK;
}

static tide_err
copy_dead(struct arena *arena, const struct shard *shard, struct shard_view *out)
{
	const struct fold *live = &shard->live;
	const struct member_fold *member;
	uint16_t through;
	uint64_t nonce;

	if ((out->dead = arena_alloc(arena, REGION_NUMBER_MAX * sizeof *out->dead)) == NULL)
		return TIDE_NOMEM;
	for (unsigned r = 1; r <= REGION_NUMBER_MAX; r++) {
		if ((through = fold_dead_through(live, (uint8_t)r)) == 0)
			continue;
		nonce = shard->nonce;
		if ((member = fold_member(live, (uint8_t)r)) != NULL)
			nonce = member->lost ? 0 : member->nonce;
		out->dead[out->n_dead++] = (struct told_dead){(uint8_t)r, through, nonce};
	}
	return TIDE_OK;
}

static tide_err
copy_fold(struct shard *shard, struct arena *arena, struct shard_view *out)
{
	const struct fold *live = &shard->live;
	tide_err rc;

	*out = (struct shard_view){.id = live->id,
	    .nonce = shard->nonce,
	    .last_seq = live->last_seq,
	    .clock = live->clock,
	    .own_clock = live->own_clock,
	    .own_closed = live->closed[jid_region(live->id)],
	    .fork = live->fork,
	    .n_kept = shard->n_kept,
	    .conflicts = live->conflicts,
	    .applied = shard->applied};
	out->tables = arena_alloc(arena, (live->n_tables + 1) * sizeof *out->tables);
	if (out->tables == NULL)
		return TIDE_NOMEM;
	if ((rc = copy_vector(arena, &live->position, &out->position)) != TIDE_OK)
		return rc;
	/* The copies of snapshots that are being loaded have the greatest ids. */
	for (; out->n_tables < live->n_tables && !is_staged(live->tables[out->n_tables]->id); out->n_tables++)
		if ((rc = copy_table(
			 arena, live, live->tables[out->n_tables], &out->tables[out->n_tables])) != TIDE_OK)
			return rc;
	if ((rc = copy_dead(arena, shard, out)) != TIDE_OK)
		return rc;
	return copy_members(arena, shard, out);
}

tide_err
shard_view(struct shard *shard, struct arena *arena, struct shard_view *out)
{
	tide_err rc;

	pthread_mutex_lock(&shard->lock);
	rc = copy_fold(shard, arena, out);
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

tide_err
shard_table_view(struct shard *shard, struct arena *arena, uint64_t id, struct table_view *out)
{
	const struct table_fold *table;
	tide_err rc;

	pthread_mutex_lock(&shard->lock);
	table = fold_table(&shard->live, id);
	if (table == NULL || table->state == REPLICA_ABSENT)
		rc = TIDE_NOTFOUND;
	else
		rc = copy_table(arena, &shard->live, table, out);
	pthread_mutex_unlock(&shard->lock);
	return rc;
}

enum replica_state
shard_table_state(struct shard *shard, uint64_t id)
{
	const struct table_fold *table;
	enum replica_state state;

	pthread_mutex_lock(&shard->lock);
	table = fold_table(&shard->live, id);
	state = table == NULL ? REPLICA_ABSENT : table->state;
	pthread_mutex_unlock(&shard->lock);
	return state;
}
