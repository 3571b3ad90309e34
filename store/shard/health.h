/*
 * How a shard stands with its disk. What it means for a client:
 *
 *     ok        all is served
 *     damaged   all is served but what lies in the ranges named: to read that fails. Damage of the journal concerns peers that still
 *               need what it held, and who would rebuild the store
 *     full      writes fail until there is room on the disk; reads go on
 *     failing   writes fail with an input/output error and are tried again; reads go on
 *     sealed    writes fail until the shard is opened again: what is on disk is no longer known; reads go on from what was published
 *
 * Nothing here is durable: an opening finds out anew.
 */
#ifndef TIDE_STORE_SHARD_HEALTH_H
#define TIDE_STORE_SHARD_HEALTH_H

#include "store/shard/shard.h"

enum shard_state {
	SHARD_OK,
	SHARD_DAMAGED,
	SHARD_FULL,
	SHARD_FAILING,
	SHARD_SEALED,
};

#define SHARD_JOURNAL_DAMAGE_MAX 8
#define SHARD_DAMAGE_MAX 32 /* ranges named; more are only counted */
#define SHARD_KEY_TEXT_MAX 192

/* Keys of one table that cannot be read: all that lie strictly between two that can. */
struct shard_damage {
	uint64_t table;
	uint64_t found_ms; /* wall clock */
	char after
	    [SHARD_KEY_TEXT_MAX]; /* the last sound key before, readable; empty: from the table's beginning */
	char before[SHARD_KEY_TEXT_MAX]; /* the first sound key behind, readable; empty: to the table's end */
};

struct shard_health {
	enum shard_state state;
	uint64_t since_ms; /* wall clock at which the state began; 0 when it is SHARD_OK since open */
	tide_err code; /* why writes fail, or were sealed; TIDE_CORRUPT when damaged */
	char reason[512];
	/* since open */
	uint64_t writes_refused; /* groups that failed or were not taken for the disk's sake */
	uint64_t reads_failed; /* reads of the store that met damage or an input/output error */
	uint64_t checkpoints_failed;
	uint64_t journal_damage; /* places of the journal that cannot be read; the first of them follow */
	uint32_t n_journal;
	char journal[SHARD_JOURNAL_DAMAGE_MAX][256];
	uint64_t ranges; /* damaged ranges found; the first SHARD_DAMAGE_MAX of them follow */
	uint32_t n_damage;
	struct shard_damage damage[SHARD_DAMAGE_MAX];
};

/** A copy of what is known now. Any thread; never waits for the disk. */
void shard_health(struct shard *shard, struct shard_health *out);

/**
 * Have the store made again from the journal at the next opening. TIDE_CORRUPT: the journal does not hold all that it takes, which is to be
 * seen without reading it; TIDE_FULL, TIDE_IO. Any thread.
 */
tide_err shard_order_rebuild(struct shard *shard, struct tide_error *error);

/** "ok", "damaged", "full", "failing", "sealed". */
const char *shard_state_name(enum shard_state state);

/**
 * A key in readable form: "order-17", or "order-17"/42 with a sort key. The types of its parts are found by the hash in front; where that
 * fails the bytes are shown as text, what is not printable as \xNN.
 */
void shard_key_text(struct bytes key, char *out, size_t room);

#endif
