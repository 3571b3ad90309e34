#include "store/shard/check_missing.h"

#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FREE 0
#define WAS_USED UINT64_MAX

void
missing_fini(struct missing *missing)
{
	free(missing->slots);
	*missing = (struct missing){0};
}

/* The key's slot, or the first free one behind its place. The table is never full. */
static struct missing_slot *
find(const struct missing *missing, uint64_t table, uint64_t hash)
{
	size_t i = hash & (missing->room - 1);

	for (;; i = (i + 1) & (missing->room - 1)) {
		struct missing_slot *slot = &missing->slots[i];

		if (slot->seq == FREE ||
		    (slot->seq != WAS_USED && slot->hash == hash && slot->table == table))
			return slot;
	}
}

static tide_err
grow(struct missing *missing)
{
	struct missing fresh = {.room = missing->room == 0 ? 64 : missing->room * 2};

	if ((fresh.slots = calloc(fresh.room, sizeof *fresh.slots)) == NULL)
		return TIDE_NOMEM;
	for (size_t i = 0; i < missing->room; i++) {
		const struct missing_slot *slot = &missing->slots[i];

		if (slot->seq == FREE || slot->seq == WAS_USED)
			continue;
		*find(&fresh, slot->table, slot->hash) = *slot;
		fresh.used++;
		fresh.n++;
	}
	free(missing->slots);
	*missing = fresh;
	return TIDE_OK;
}

tide_err
missing_add(struct missing *missing, uint64_t table, struct bytes key, uint64_t seq)
{
	uint64_t hash = XXH3_64bits_withSeed(key.at, key.n, table);
	struct missing_slot *slot;
	tide_err rc;

	if (missing->used * 2 >= missing->room && (rc = grow(missing)) != TIDE_OK)
		return rc;
	slot = find(missing, table, hash);
	if (slot->seq == FREE) {
		missing->used++;
		missing->n++;
	}
	*slot = (struct missing_slot){table, hash, seq};
	return TIDE_OK;
}

void
missing_explain(struct missing *missing, uint64_t table, struct bytes key)
{
	struct missing_slot *slot;

	if (missing->n == 0)
		return;
	slot = find(missing, table, XXH3_64bits_withSeed(key.at, key.n, table));
	if (slot->seq == FREE)
		return;
	slot->seq = WAS_USED;
	missing->n--;
}

void
missing_explain_table(struct missing *missing, uint64_t table)
{
	for (size_t i = 0; i < missing->room; i++)
		if (missing->slots[i].seq != FREE && missing->slots[i].seq != WAS_USED &&
		    missing->slots[i].table == table) {
			missing->slots[i].seq = WAS_USED;
			missing->n--;
		}
}
