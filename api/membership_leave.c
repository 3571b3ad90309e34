/*
 * How a replica leaves: it asks every one that stays, and goes when all have said yes to its last question. Answers to earlier questions
 * count for nothing, so a yes that was given before a restart lets nobody go.
 */
#include <stdlib.h>

#include "api/membership_priv.h"

/* Under the lock. */
static struct leaving *
leaving_find(struct membership *m, uint64_t table)
{
	for (uint32_t i = 0; i < m->n_leaving; i++) {
		if (m->leaving[i].table == table)
			return &m->leaving[i];
	}
	return NULL;
}

/* Questions are numbered above every number of a former life of this process: the shard's clock only grows. */
tide_err
leaving_start(struct membership *m, uint64_t table, struct hlc clock)
{
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&m->lock);
	if (leaving_find(m, table) == NULL) {
		if (m->n_leaving == m->room_leaving) {
			uint32_t room = m->room_leaving == 0 ? 4 : m->room_leaving * 2;
			struct leaving *grown = realloc(m->leaving, room * sizeof *grown);

			if (grown == NULL) {
				pthread_mutex_unlock(&m->lock);
				return TIDE_NOMEM;
			}
			m->leaving = grown;
			m->room_leaving = room;
		}
		m->last_number = m->last_number >= clock.v ? m->last_number + 1 : clock.v;
		m->leaving[m->n_leaving++] = (struct leaving){.table = table, .number = m->last_number};
	}
	pthread_mutex_unlock(&m->lock);
	return rc;
}

void
leaving_end(struct membership *m, uint64_t table)
{
	struct leaving *l;

	pthread_mutex_lock(&m->lock);
	if ((l = leaving_find(m, table)) != NULL)
		*l = m->leaving[--m->n_leaving];
	pthread_mutex_unlock(&m->lock);
}

static bool
is_lost(const struct shard_view *view, uint8_t region)
{
	for (size_t i = 0; i < view->n_members; i++) {
		if (view->members[i].region == region)
			return view->members[i].lost;
	}
	return false;
}

/* Region numbers of the replicas that stay: those that must say yes. */
static uint8_t
staying_of(const struct region *region, const struct table *table, const struct shard_view *view,
    uint8_t out[REGION_NUMBER_MAX])
{
	uint8_t n = 0;

	for (uint32_t i = 0; i < table->n_replicas && n < REGION_NUMBER_MAX; i++) {
		const struct replica *r = &table->replicas[i];

		if (r->number != region->config.number && r->wanted && r->status != TABLE_CREATION_FAILED &&
		    !is_lost(view, r->number))
			out[n++] = r->number;
	}
	return n;
}

bool
leaving_done(struct region *region, const struct table *table, const struct shard_view *view)
{
	struct membership *m = region->membership;
	uint8_t staying[REGION_NUMBER_MAX], n = staying_of(region, table, view, staying), yes = 0;
	const struct leaving *l;

	pthread_mutex_lock(&m->lock);
	if ((l = leaving_find(m, table->id)) != NULL) {
		for (uint8_t i = 0; i < n; i++)
			yes += l->yes[staying[i]];
	}
	pthread_mutex_unlock(&m->lock);
	return n > 0 && yes == n;
}

void
membership_leave_granted(struct region *region, uint8_t from, uint64_t table, uint64_t number)
{
	struct membership *m = region->membership;
	struct leaving *l;
	bool fresh = false;

	pthread_mutex_lock(&m->lock);
	if ((l = leaving_find(m, table)) != NULL && l->number == number) {
		fresh = !l->yes[from];
		l->yes[from] = true;
	}
	pthread_mutex_unlock(&m->lock);
	if (fresh)
		membership_poke(region);
}

/* Has it reached our catalog that this region's replica is not wanted? */
static bool
knows_leaving(struct region *region, uint8_t number, uint64_t id)
{
	const struct table *table = catalog_find_id(region->catalog, id);
	bool leaving = table != NULL;

	if (table == NULL)
		return false;
	for (uint32_t i = 0; i < table->n_replicas; i++)
		if (table->replicas[i].number == number && table->replicas[i].wanted)
			leaving = false;
	table_release(table);
	return leaving;
}

bool
membership_may_go(struct region *region, uint8_t from, uint64_t table, const struct vector *vector)
{
	struct table_view view;
	struct arena arena;
	bool yes;

	arena_init(&arena, 0);
	yes = shard_table_view(region->shard, &arena, table, &view) == TIDE_OK &&
	      view.state == REPLICA_ACTIVE && vector_covers(&view.vector, vector);
	arena_fini(&arena);
	return yes && knows_leaving(region, from, table);
}

tide_err
membership_questions(
    struct region *region, struct arena *arena, struct membership_question **out, uint32_t *n)
{
	struct membership *m = region->membership;
	struct membership_question *questions;
	struct shard_view view;
	uint32_t count = 0;
	tide_err rc;

	if ((rc = shard_view(region->shard, arena, &view)) != TIDE_OK)
		return rc;
	pthread_mutex_lock(&m->lock);
	if ((questions = arena_calloc(arena, (m->n_leaving + 1) * sizeof *questions)) == NULL)
		rc = TIDE_NOMEM;
	for (uint32_t i = 0; rc == TIDE_OK && i < m->n_leaving; i++) {
		const struct leaving *l = &m->leaving[i];
		const struct table *table = catalog_find_id(region->catalog, l->table);
		struct membership_question *q = &questions[count];
		uint8_t staying[REGION_NUMBER_MAX], all;

		if (table == NULL)
			continue;
		all = staying_of(region, table, &view, staying);
		table_release(table);
		*q = (struct membership_question){.table = l->table, .number = l->number};
		for (uint8_t s = 0; s < all; s++) {
			if (!l->yes[staying[s]])
				q->staying[q->n_staying++] = staying[s];
		}
		count += q->n_staying > 0;
	}
	pthread_mutex_unlock(&m->lock);
	if (rc == TIDE_OK) {
		*out = questions;
		*n = count;
	}
	return rc;
}
