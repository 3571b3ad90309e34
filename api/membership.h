/*
 * Membership: what this region does about the facts in its catalog.
 *
 *     wanted here, nothing here      claim the name, CREATING (the replicator loads it)
 *     loaded and at the cut          status ACTIVE
 *     not wanted, readable here      LEAVING: refuses writes, asks every staying replica a numbered "may I go?"
 *     all of them said yes           ABSENT, and the region's own facts go
 *     the name is taken here         status CREATION_FAILED until the other table is gone
 *     deleted                        ABSENT, whatever else the facts say
 *
 * The rules are those of docs/replication.md ("Members"). Steps run on the maintenance thread; what they write goes
 * through the committer and is decided there again, on the facts as the group sees them.
 */
#ifndef TIDE_API_MEMBERSHIP_H
#define TIDE_API_MEMBERSHIP_H

#include "api/region.h"

struct membership;

/**
 * Make region->membership, before any other call here. Needs region->config, ->shard and ->catalog; it observes the shard, so call it
 * before committer_start. TIDE_NOMEM, TIDE_CORRUPT, TIDE_IO.
 */
tide_err membership_open(struct region *region, struct tide_error *error);

/** Takes a region without membership. No other call may be under way. */
void membership_close(struct region *region);

/** One step over all tables. Maintenance thread: every second and when poked. Errors leave the rest for the next step. */
tide_err membership_step(struct region *region, struct tide_error *error);

/** Ask for a step soon. Any thread. */
void membership_poke(struct region *region);

/** Has it been poked since the last wait? Any thread. */
bool membership_poked(struct region *region);

/** Wait until poked, at most so long: what the maintenance thread sleeps on. True when poked. */
bool membership_wait(struct region *region, uint32_t ms_max);

/**
 * May this region accept writes? Not before the catalog and the conflict log are ACTIVE here and every member (not declared lost)
 * has counted this region's incarnation. Any thread; one atomic load.
 */
bool region_may_write(struct region *region);

/* --- leaving: the questions, sent by the replicator with this region's vector of the table --- */

struct membership_question {
	uint64_t table;
	uint64_t number; /* names this question; an answer must repeat it */
	uint8_t staying[REGION_NUMBER_MAX]; /* region numbers that have not said yes yet */
	uint8_t n_staying;
};

/** The questions to ask now, in the arena. Any thread. TIDE_NOMEM. */
tide_err membership_questions(
    struct region *region, struct arena *arena, struct membership_question **out, uint32_t *n);

/** A staying region said yes to that question. An answer to an old question changes nothing. Any thread. */
void membership_leave_granted(struct region *region, uint8_t from, uint64_t table, uint64_t number);

/**
 * The other side: region number `from`, in LEAVING, asks with its vector of the table. Yes only if this region's replica is ACTIVE, so that
 * it stays until it is let go itself, holds all that the asker holds, and knows that the asker leaves: who sees it gone there and deletes the
 * table here means the last replica. Any thread.
 */
bool membership_may_go(struct region *region, uint8_t from, uint64_t table, const struct vector *vector);

#endif
