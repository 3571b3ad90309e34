#include "api/membership_priv.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "api/index_align.h"
#include "base/log.h"

#define PERCENT_STEP 10 /* how far a bootstrap must get before the catalog hears of it again */

/* What is to be done about one table. */
enum move {
	MOVE_NONE,
	MOVE_CLAIM, /* take the replica on, or say that the name is taken */
	MOVE_CREATING, /* tell how far it is */
	MOVE_ACTIVE, /* tell that it is ready */
	MOVE_STAY, /* wanted again before it was gone */
	MOVE_LEAVE,
	MOVE_GONE,
};

static const char *const move_names[] = {"none", "claim", "creating", "active", "stay", "leave", "gone"};

/* --- may this region write? --- */

static bool
counted_by_all(const struct region *region, const struct shard_view *view)
{
	for (uint32_t p = 0; p < region->config.replication.n_peers; p++) {
		bool fine = false;

		for (size_t m = 0; m < view->n_members; m++) {
			const struct member_view *member = &view->members[m];

			if (member->region == region->config.replication.peers[p].number)
				fine |= member->lost || member->counted;
		}
		if (!fine)
			return false;
	}
	return true;
}

static tide_err
write_counted_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	tide_err rc;

	(void)op;
	rc = catalog_write_counted(group, jid_incarnation(shard_id(group_shard(group))));
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static bool
is_rejoining(const struct shard_view *view, uint64_t table)
{
	for (size_t i = 0; i < view->n_tables; i++)
		if (view->tables[i].id == table)
			return view->tables[i].rejoin != REJOIN_NONE;
	return false;
}

static bool
is_active(const struct shard_view *view, uint64_t table)
{
	for (size_t i = 0; i < view->n_tables; i++)
		if (view->tables[i].id == table)
			return view->tables[i].state == REPLICA_ACTIVE;
	return false;
}

/*
 * Being counted is volatile in the shard, but once all members have counted a journal it stays counted: that is kept, so
 * that a region that starts again while a peer is away still takes writes.
 */
static tide_err
refresh_may_write(struct region *region, const struct shard_view *view, bool record, struct tide_error *error)
{
	bool tables = is_active(view, TABLE_CATALOG) && is_active(view, TABLE_CONFLICTS);
	/* Clients' tables need neither while it is on its way back. */
	bool usable = (is_active(view, TABLE_CATALOG) || is_rejoining(view, TABLE_CATALOG)) &&
		      (is_active(view, TABLE_CONFLICTS) || is_rejoining(view, TABLE_CONFLICTS));
	bool counted, may;
	int32_t incarnation;
	tide_err rc;

	if ((rc = catalog_read_counted(region->shard, &incarnation)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	counted = incarnation == jid_incarnation(view->id);
	if (!counted && counted_by_all(region, view)) {
		if (record && tables &&
		    (rc = committer_call(region->committer, write_counted_run, NULL, error)) != TIDE_OK)
			return rc;
		counted = true;
	}
	may = usable && counted && view->fork.reason == FORK_NONE;
	if (atomic_exchange(&region->membership->may_write, may) != may)
		log_info("REGION-WRITES", "allowed=%s incarnation=%u", may ? "yes" : "no",
		    jid_incarnation(view->id));
	return TIDE_OK;
}

bool
region_may_write(struct region *region)
{
	return region->membership != NULL &&
	       atomic_load_explicit(&region->membership->may_write, memory_order_relaxed);
}

/* --- waking --- */

static void
observe(void *arg, const struct unit *unit)
{
	bool catalog = unit->note.at != NULL;

	for (uint32_t i = 0; i < unit->n_records && !catalog; i++)
		catalog = unit->records[i].table == TABLE_CATALOG;
	if (catalog)
		membership_poke(arg);
}

void
membership_poke(struct region *region)
{
	struct membership *m = region->membership;

	if (m == NULL)
		return;
	pthread_mutex_lock(&m->lock);
	m->poked = true;
	pthread_cond_signal(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

bool
membership_poked(struct region *region)
{
	struct membership *m = region->membership;
	bool poked;

	pthread_mutex_lock(&m->lock);
	poked = m->poked;
	pthread_mutex_unlock(&m->lock);
	return poked;
}

bool
membership_wait(struct region *region, uint32_t ms_max)
{
	struct membership *m = region->membership;
	struct timespec until;
	bool poked;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms_max / 1000;
	until.tv_nsec += (long)(ms_max % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&m->lock);
	while (!m->poked && pthread_cond_timedwait(&m->wake, &m->lock, &until) != ETIMEDOUT)
		;
	poked = m->poked;
	m->poked = false;
	pthread_mutex_unlock(&m->lock);
	return poked;
}

/* --- the step --- */

static uint8_t
percent_of(const struct table_view *view)
{
	if (view->state == REPLICA_CATCHUP || view->state == REPLICA_MERGING)
		return 99;
	if (!view->boot.under_way || view->boot.items_expected == 0)
		return 0;
	if (view->boot.items_loaded >= view->boot.items_expected)
		return 99;
	return (uint8_t)(view->boot.items_loaded * 99 / view->boot.items_expected);
}

static enum move
decide(struct region *region, const struct table *table, const struct shard_view *view,
    enum replica_state state, uint8_t percent)
{
	const struct replica *own = table_replica(table, region->config.region);
	bool wanted = own != NULL && own->wanted && !table->deleted;

	switch (state) {
	case REPLICA_ABSENT:
		if (wanted)
			return MOVE_CLAIM;
		return own != NULL && own->claimed ? MOVE_GONE : MOVE_NONE;
	case REPLICA_MERGING:
	case REPLICA_CATCHUP:
		/* On its way back it may hold what no other has: it leaves like any other, when it is level. */
		if (!wanted && !table->deleted && is_rejoining(view, table->id))
			return MOVE_NONE;
		/* fall through */
	case REPLICA_CREATING:
		if (!wanted)
			return MOVE_GONE;
		return own->status != TABLE_CREATING || percent >= own->percent + PERCENT_STEP ? MOVE_CREATING
											       : MOVE_NONE;
	case REPLICA_ACTIVE:
		if (table->deleted)
			return MOVE_GONE;
		/* What fell behind cannot follow, and must before it may go. */
		if (!wanted)
			return is_rejoining(view, table->id) ? MOVE_NONE : MOVE_LEAVE;
		return own->status != TABLE_ACTIVE || !own->claimed ? MOVE_ACTIVE : MOVE_NONE;
	case REPLICA_LEAVING:
		if (table->deleted)
			return MOVE_GONE;
		if (wanted)
			return MOVE_STAY;
		return leaving_done(region, table, view) ? MOVE_GONE : MOVE_NONE;
	}
	return MOVE_NONE;
}

struct step {
	struct region *region;
	const struct shard_view *view;
	uint64_t table;
	uint8_t percent;
	enum move done;
};

static tide_err
run_claim(struct step *step, struct group *group, const struct table *table, struct tide_error *error)
{
	struct catalog *catalog = step->region->catalog;
	tide_err rc = catalog_write_claim(catalog, group, table, error);

	if (rc == TIDE_RESOURCE_IN_USE)
		return catalog_write_status(catalog, group, table, TABLE_CREATION_FAILED, 0);
	if (rc == TIDE_OK && (rc = group_table_state(group, table->id, REPLICA_CREATING)) == TIDE_OK &&
	    (rc = group_table_shared(group, table->id, true)) == TIDE_OK &&
	    (rc = index_align_group(group, table)) == TIDE_OK)
		rc = catalog_write_status(catalog, group, table, TABLE_CREATING, 0);
	return rc;
}

static tide_err
run_gone(struct step *step, struct group *group, const struct table *table)
{
	tide_err rc = TIDE_OK;

	if (shard_table_state(step->region->shard, table->id) != REPLICA_ABSENT)
		rc = group_table_state(group, table->id, REPLICA_ABSENT);
	return rc == TIDE_OK ? catalog_write_gone(step->region->catalog, group, table) : rc;
}

/* Decide again on what the group sees, and do it. */
static tide_err
step_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct step *step = ((struct commit_call *)op)->arg;
	struct region *region = step->region;
	const struct table *table = NULL;
	tide_err rc;

	if ((rc = catalog_read(region->catalog, group, step->table, &table)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : tide_fail(error, rc, NULL);
	step->done =
	    decide(region, table, step->view, shard_table_state(region->shard, table->id), step->percent);
	switch (step->done) {
	case MOVE_NONE:
		break;
	case MOVE_CLAIM:
		rc = run_claim(step, group, table, error);
		break;
	case MOVE_CREATING:
		rc = catalog_write_status(region->catalog, group, table, TABLE_CREATING, step->percent);
		break;
	case MOVE_STAY:
		rc = group_table_state(group, table->id, REPLICA_ACTIVE);
		/* fall through */
	case MOVE_ACTIVE:
		if (rc == TIDE_OK)
			rc = catalog_write_status(region->catalog, group, table, TABLE_ACTIVE, 100);
		break;
	case MOVE_LEAVE:
		if ((rc = group_table_state(group, table->id, REPLICA_LEAVING)) == TIDE_OK)
			rc = catalog_write_status(region->catalog, group, table, TABLE_DELETING, 0);
		break;
	case MOVE_GONE:
		rc = run_gone(step, group, table);
		break;
	}
	table_release(table);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/* A refused replica waits for the name; asking the committer every second would write nothing new. */
static bool
still_refused(struct region *region, const struct table *table)
{
	const struct replica *own = table_replica(table, region->config.region);
	const struct table *other;
	bool refused;

	if (own == NULL || own->status != TABLE_CREATION_FAILED)
		return false;
	other = catalog_find(region->catalog, bytes_of_string(table->name));
	refused = other != NULL && other->id != table->id;
	table_release(other);
	return refused;
}

static tide_err
step_table(
    struct region *region, const struct shard_view *view, const struct table *table, struct tide_error *error)
{
	struct membership *m = region->membership;
	struct step step = {.region = region, .view = view, .table = table->id};
	enum replica_state state = REPLICA_ABSENT;
	enum move move;
	tide_err rc;

	for (size_t i = 0; i < view->n_tables; i++) {
		if (view->tables[i].id == table->id) {
			state = view->tables[i].state;
			step.percent = percent_of(&view->tables[i]);
		}
	}
	if (state == REPLICA_LEAVING) {
		if ((rc = leaving_start(m, table->id, view->clock)) != TIDE_OK)
			return tide_fail(error, rc, NULL);
	} else {
		leaving_end(m, table->id);
	}
	move = decide(region, table, view, state, step.percent);
	if (move == MOVE_NONE || (move == MOVE_CLAIM && still_refused(region, table)))
		return TIDE_OK;
	if ((rc = committer_call(region->committer, step_run, &step, error)) != TIDE_OK)
		return rc;
	if (step.done != MOVE_NONE)
		log_info("REPLICA-MOVE", "table=%s id=%016llx move=%s", table->name,
		    (unsigned long long)table->id, move_names[step.done]);
	if (step.done == MOVE_LEAVE)
		return leaving_start(m, table->id, view->clock) == TIDE_OK
			   ? TIDE_OK
			   : tide_fail(error, TIDE_NOMEM, NULL);
	return TIDE_OK;
}

static tide_err
step_tables(
    struct region *region, struct arena *arena, const struct shard_view *view, struct tide_error *error)
{
	const struct table **tables;
	tide_err rc, first = TIDE_OK;
	struct tide_error one;
	uint32_t n;

	if ((rc = catalog_all(region->catalog, arena, &tables, &n)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	for (uint32_t i = 0; i < n; i++) {
		/* One table's trouble is no reason to leave the others as they are. */
		if (tables[i]->global && (rc = step_table(region, view, tables[i], &one)) != TIDE_OK &&
		    first == TIDE_OK) {
			first = rc;
			if (error != NULL)
				*error = one;
		}
	}
	if ((rc = index_align_step(region, tables, n, &one)) != TIDE_OK && first == TIDE_OK) {
		first = rc;
		if (error != NULL)
			*error = one;
	}
	for (uint32_t i = 0; i < n; i++)
		table_release(tables[i]);
	return first;
}

struct sweep {
	struct region *region;
	const struct shard_view *view;
};

static tide_err
sweep_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct sweep *sweep = ((struct commit_call *)op)->arg;
	const struct table *table;
	tide_err rc = TIDE_OK;

	for (size_t i = 0; rc == TIDE_OK && i < sweep->view->n_tables; i++) {
		uint64_t id = sweep->view->tables[i].id;

		if (id <= TABLE_BUILT_IN_MAX || shard_table_state(sweep->region->shard, id) == REPLICA_ABSENT)
			continue;
		if ((rc = catalog_read(sweep->region->catalog, group, id, &table)) != TIDE_OK) {
			rc = rc == TIDE_NOTFOUND ? TIDE_OK : rc;
			continue;
		}
		if (table->deleted && (rc = group_table_state(group, id, REPLICA_ABSENT)) == TIDE_OK)
			log_info("REPLICA-MOVE", "table=%s id=%016llx move=gone why=deleted", table->name,
			    (unsigned long long)id);
		table_release(table);
	}
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

/*
 * A table that was deleted while this region was away is to be had nowhere, and what is left of it here holds back the region's cut,
 * which the catalog has to reach before it is in service again. Deleted is for ever: the catalog is right about that at any moment.
 */
static tide_err
sweep_deleted(struct region *region, const struct shard_view *view, struct tide_error *error)
{
	enum replica_state state = shard_table_state(region->shard, TABLE_CATALOG);
	struct sweep sweep = {.region = region, .view = view};

	if (state != REPLICA_CATCHUP && state != REPLICA_MERGING)
		return TIDE_OK;
	return committer_call(region->committer, sweep_run, &sweep, error);
}

tide_err
membership_step(struct region *region, struct tide_error *error)
{
	struct membership *m = region->membership;
	struct shard_view view;
	struct arena arena;
	bool active;
	tide_err rc;

	arena_init(&arena, 0);
	if ((rc = shard_view(region->shard, &arena, &view)) != TIDE_OK) {
		tide_fail(error, rc, NULL);
		goto out;
	}
	active = shard_table_state(region->shard, TABLE_CATALOG) == REPLICA_ACTIVE;
	/* While the catalog is loaded from a peer, its facts come in pieces and may be started over. */
	if (active && !m->catalog_active && (rc = catalog_reload(region->catalog, error)) != TIDE_OK)
		goto out;
	m->catalog_active = active;
	if ((rc = sweep_deleted(region, &view, error)) != TIDE_OK)
		goto out;
	if ((rc = refresh_may_write(region, &view, true, error)) != TIDE_OK || !region_may_write(region) ||
	    !active)
		goto out;
	rc = step_tables(region, &arena, &view, error);
out:
	arena_fini(&arena);
	return rc;
}

/* --- opening --- */

tide_err
membership_open(struct region *region, struct tide_error *error)
{
	struct membership *m = calloc(1, sizeof *m);
	uint8_t peers[CONFIG_PEERS_MAX];
	unsigned n = 0;
	pthread_condattr_t attr;
	struct shard_view view;
	struct arena arena;
	tide_err rc;

	assert(region->shard != NULL && region->catalog != NULL);
	if (m == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	atomic_init(&m->may_write, false);
	m->catalog_active = shard_table_state(region->shard, TABLE_CATALOG) == REPLICA_ACTIVE;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->wake, &attr);
	pthread_condattr_destroy(&attr);
	region->membership = m;
	for (uint32_t i = 0; i < region->config.replication.n_peers; i++)
		peers[n++] = region->config.replication.peers[i].number;
	shard_set_peers(region->shard, peers, n);
	arena_init(&arena, 0);
	if ((rc = shard_view(region->shard, &arena, &view)) != TIDE_OK)
		tide_fail(error, rc, NULL);
	else
		rc = refresh_may_write(region, &view, false, error);
	arena_fini(&arena);
	if (rc != TIDE_OK) {
		membership_close(region);
		return rc;
	}
	shard_observe(region->shard, observe, region);
	return TIDE_OK;
}

void
membership_close(struct region *region)
{
	struct membership *m = region->membership;

	if (m == NULL)
		return;
	region->membership = NULL;
	pthread_cond_destroy(&m->wake);
	pthread_mutex_destroy(&m->lock);
	free(m->leaving);
	free(m);
}
