/*
 * Items that the journal has and the store does not, until a later delete, collection or clearing explains it. A hash set of
 * (table, key): what is left at the journal's end is missing.
 */
#ifndef TIDE_STORE_SHARD_CHECK_MISSING_H
#define TIDE_STORE_SHARD_CHECK_MISSING_H

#include "base/bytes.h"

struct missing_slot {
	uint64_t table, hash, seq; /* seq 0: free; UINT64_MAX: was used */
};

struct missing {
	struct missing_slot *slots;
	size_t room, used, n;
};

void missing_fini(struct missing *missing);
tide_err missing_add(struct missing *missing, uint64_t table, struct bytes key, uint64_t seq);
void missing_explain(struct missing *missing, uint64_t table, struct bytes key);
void missing_explain_table(struct missing *missing, uint64_t table);

#endif
