/*
 * Loading tables from snapshots: pieces on their way into the journal, what starts a table's loading, and what starts it over. Each is one
 * operation on the committer's queue.
 */
#include <stdlib.h>

#include "api/endpoint_priv.h"
#include "base/log.h"

struct load_op {
	struct commit_op op;
	struct answer *answer;
};

static void
done(struct commit_op *op, const struct tide_error *error)
{
	struct load_op *up = (struct load_op *)op;
	struct endpoint *endpoint = up->answer->endpoint;

	if (error->code == TIDE_OK)
		answer_done(up->answer);
	else
		answer_error(up->answer, error->code, 0, error->message);
	free(up);
	atomic_fetch_sub(&endpoint->under_way, 1);
}

static void
submit(struct answer *answer, commit_run_fn run)
{
	struct endpoint *endpoint = answer->endpoint;
	struct load_op *up = calloc(1, sizeof *up);
	tide_err rc = TIDE_NOMEM;

	if (up != NULL) {
		up->op.run = run;
		up->op.done = done;
		up->answer = answer;
		atomic_fetch_add(&endpoint->under_way, 1);
		if ((rc = committer_submit(endpoint->region->committer, &up->op)) == TIDE_OK)
			return;
		atomic_fetch_sub(&endpoint->under_way, 1);
	}
	free(up);
	answer_error(answer, rc, 0, NULL);
}

static tide_err
piece_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	const struct wire_load *load = &((struct load_op *)op)->answer->message.load;
	struct load_piece piece = {.table = load->piece.table,
	    .source = load->source,
	    .snapshot = load->piece.snapshot,
	    .after = load->piece.after,
	    .cursor = load->piece.cursor,
	    .wire_unit = load->piece.unit,
	    .vector = load->piece.vector,
	    .position = load->piece.position,
	    .clock = load->piece.clock,
	    .items_expected = load->piece.items_expected,
	    .done = load->piece.done};

	return group_load(group, &piece, error);
}

void
load__piece(struct answer *answer)
{
	submit(answer, piece_run);
}

/*
 * A built-in table of a region that is new: nothing in it, nothing taken from anybody. An empty conflict log beside tables in service is
 * none: it must take what their merging finds, and one that is loaded anew takes nothing.
 */
static bool
is_fresh(const struct group *group, const struct table_view *view)
{
	if ((view->id != TABLE_CATALOG && view->id != TABLE_CONFLICTS) || group_in_service(group))
		return false;
	for (size_t i = 0; i < view->vector.n; i++)
		if (view->vector.entries[i].mark.seq != 0)
			return false;
	return view->items == 0;
}

/* What it holds, only it may have: that is merged with a snapshot, when the operator says so (rejoin.c in store/shard). */
static tide_err
needs_rejoin(struct group *group, const struct table_view *view, struct tide_error *error)
{
	bool fresh;
	tide_err rc = group_rejoin_needed(group, view->id, &fresh);

	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_USAGE, "a replica in that state is not loaded again");
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (fresh)
		log_err("REPL-NEEDS-BOOTSTRAP",
		    "table=%016llx why=\"it fell behind what its peers keep\" do=\"tidemark region rejoin\"",
		    (unsigned long long)view->id);
	return TIDE_OK;
}

/* A new replica begins again with another snapshot. What only it has it keeps: then the snapshot is merged with it. */
static tide_err
load_anew(struct group *group, uint64_t table)
{
	uint32_t n;

	log_warn("REPL-NEEDS-BOOTSTRAP", "table=%016llx", (unsigned long long)table);
	if (shard_table_state(group_shard(group), table) == REPLICA_CATCHUP && group_alone_with(group, table))
		return group_rejoin_start(group, table, &n);
	return group_table_state(group, table, REPLICA_CREATING);
}

/* The records that the table needs are kept nowhere any more: it has to be loaded from a snapshot. */
static tide_err
boot_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct answer *answer = ((struct load_op *)op)->answer;
	const struct wire_boot_ask *ask = &answer->message.boot;
	struct table_view view;
	bool loads;
	tide_err rc;

	if ((rc = shard_table_view(group_shard(group), &answer->arena, ask->table, &view)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	loads = view.state == REPLICA_CREATING || view.rejoin == REJOIN_LOADING;
	if (loads)
		return ask->restart ? group_load_restart(group, ask->table) : TIDE_OK;
	if (ask->restart)
		return TIDE_OK; /* it was loaded to the end meanwhile */
	if ((view.state == REPLICA_CATCHUP && view.rejoin == REJOIN_NONE) ||
	    (view.state == REPLICA_ACTIVE && is_fresh(group, &view)))
		return load_anew(group, ask->table);
	/* It holds up all that follows beside it until it has rejoined; then it leaves again. */
	if (view.state == REPLICA_LEAVING &&
	    (rc = group_table_state(group, ask->table, REPLICA_ACTIVE)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	return needs_rejoin(group, &view, error);
}

void
load__boot(struct answer *answer)
{
	submit(answer, boot_run);
}

static tide_err
rejoin_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	uint64_t table = ((struct load_op *)op)->answer->message.rejoin.table;
	uint32_t n;
	tide_err rc = group_rejoin_start(group, table, &n);

	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, rc, "no replica of table %016llx here that could rejoin",
		    (unsigned long long)table);
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (n > 0)
		log_warn("REJOIN-START", "tables=%u", n);
	return TIDE_OK;
}

void
load__rejoin(struct answer *answer)
{
	submit(answer, rejoin_run);
}
