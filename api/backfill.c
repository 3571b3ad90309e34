#include "api/backfill.h"

#include <time.h>

#include "base/log.h"
#include "store/shard/index.h"

/* A step holds the committer for about as long as a large write does. */
#define PIECE_BYTES (256u << 10)
#define STEPS 32
#define PAUSE_NS_MAX 100000000 /* between two steps */

struct step {
	const struct backfill *backfill;
	struct index_progress progress;
};

static tide_err
run_step(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct step *step = ((struct commit_call *)op)->arg;
	const struct backfill *backfill = step->backfill;
	size_t bytes = backfill->piece_bytes != 0 ? backfill->piece_bytes : PIECE_BYTES;
	tide_err rc = group_index_backfill(group, backfill->table, backfill->index, bytes, &step->progress);

	return rc == TIDE_OK ? TIDE_OK
			     : tide_fail(error, rc, "index %016llx of table %016llx: %s",
				   (unsigned long long)backfill->index, (unsigned long long)backfill->table,
				   tide_err_text(rc));
}

/* The next one in turn; after the last the first. */
static bool
next(struct region *region, struct backfill *backfill)
{
	if (shard_index_backfilling(region->shard, &backfill->table, &backfill->index))
		return true;
	backfill->table = backfill->index = 0;
	return shard_index_backfilling(region->shard, &backfill->table, &backfill->index);
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void
pause_since(uint64_t began_ns)
{
	uint64_t took = now_ns() - began_ns;
	struct timespec pause = {.tv_nsec = (long)(took < PAUSE_NS_MAX ? took : PAUSE_NS_MAX)};

	nanosleep(&pause, NULL);
}

tide_err
backfill_step(struct region *region, struct backfill *backfill, bool *more, struct tide_error *error)
{
	uint32_t steps = backfill->steps != 0 ? backfill->steps : STEPS;
	tide_err rc;

	*more = false;
	for (uint32_t i = 0; i < steps; i++) {
		struct step step = {.backfill = backfill};
		uint64_t began_ns;

		if (!next(region, backfill))
			return TIDE_OK;
		began_ns = backfill->paced ? now_ns() : 0;
		if ((rc = committer_call(region->committer, run_step, &step, error)) != TIDE_OK)
			return rc;
		if (step.progress.done)
			log_info("INDEX-COMPLETE", "table=%016llx index=%016llx",
			    (unsigned long long)backfill->table, (unsigned long long)backfill->index);
		if (backfill->paced)
			pause_since(began_ns);
	}
	*more = true;
	return TIDE_OK;
}
