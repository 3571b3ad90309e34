/*
 * The ledger: every write that a client made, with its version and what its writer had seen. What a region must hold follows from it
 * and the region's vectors alone: of the writes of a key that a table's vector covers, the one with the greatest version.
 */
#ifndef TIDE_CHAOS_SIM_LEDGER_H
#define TIDE_CHAOS_SIM_LEDGER_H

#include "store/journal/journal.h"
#include "store/shard/shard.h"

enum write_fate {
	WRITE_PENDING, /* run, its group is not on disk yet */
	WRITE_KEPT, /* acknowledged */
	WRITE_UNKNOWN, /* the outcome of its append is not known before the journal is opened again */
	WRITE_FOUND, /* never acknowledged, but the journal has it */
	WRITE_VOID, /* nothing of it may be anywhere */
	WRITE_LOST, /* its journal was lost with its disk; what peers hold of it counts */
};

struct seen {
	uint64_t table;
	struct jid origin;
	uint64_t seq;
};

struct write {
	uint32_t id, before; /* `before`: what its writer saw under the key; 0: nothing */
	uint64_t table;
	uint8_t key, region;
	bool tombstone, built_on; /* a write that counts replaced it, having seen it */
	bool expired; /* a delete by time to live */
	uint32_t txn; /* the first write of the transaction that it is a part of; 0: of none */
	int32_t balance; /* of a transfer: what the account holds then */
	uint64_t expires_s; /* what its item says; 0: nothing */
	struct version version;
	uint64_t seq; /* in its origin's journal */
	enum write_fate fate;
	struct seen *seen; /* per table and origin, in order */
	uint32_t n_seen;
	uint32_t next; /* the write before, of the same table and key */
};

struct ledger {
	struct write *writes; /* by id, from 1 */
	uint32_t n, room;
	struct place {
		uint64_t table;
		uint8_t key;
		uint32_t last;
	} * places;
	uint32_t n_places, places_room;
};

struct fold;

void ledger_fini(struct ledger *ledger);

/** A write that a group of that region holds now. `fold`: the committer's, as it was before it. NULL: no memory. */
struct write *ledger_add(struct ledger *ledger, const struct fold *fold, uint8_t region, uint64_t table,
    uint8_t key, uint64_t seq, struct version version, bool tombstone);

static inline struct write *
ledger_write(const struct ledger *ledger, uint32_t id)
{
	return &ledger->writes[id];
}

/** Does it count wherever a vector covers it? */
static inline bool
write_counts(const struct write *write)
{
	return write->fate != WRITE_VOID && write->fate != WRITE_UNKNOWN;
}

/** How far the writer had seen that origin in that table. */
uint64_t write_saw(const struct write *write, uint64_t table, struct jid origin);

/** The last write of a key; follow `next`. NULL: none. */
struct write *ledger_last(const struct ledger *ledger, uint64_t table, uint8_t key);
struct write *ledger_next(const struct ledger *ledger, const struct write *write);

/** What stands under a key where the table's vector is this one; NULL: nothing was ever written there. */
struct write *ledger_winner(
    const struct ledger *ledger, uint64_t table, uint8_t key, const struct vector *vector);

/** A write with that version in a table, one of several where they are parts of a transaction; NULL: there is none that counts. */
struct write *ledger_by_version(const struct ledger *ledger, uint64_t table, struct version version);

/** The one of that key. */
struct write *ledger_of_version(
    const struct ledger *ledger, uint64_t table, uint8_t key, struct version version);

/** A journal was opened again: what was unknown is found there, or void. */
void ledger_recovered(struct ledger *ledger, struct jid journal, struct journal *disk);

/** Is that very write in the journal? Another one may have taken its number, even its clock. */
bool ledger_in_journal(struct journal *disk, const struct write *write);

/** A journal is gone with its disk. */
void ledger_journal_lost(struct ledger *ledger, struct jid journal);

#endif
