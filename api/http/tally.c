#include "api/http/tally.h"

const uint32_t tally_bounds_us[TALLY_BUCKETS] = {50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000,
    100000, 250000, 500000, 1000000, 2500000, 10000000};

static const struct operation unknown = {"Unknown", NULL};

/* Operations stand in one table, so that their addresses spread over the slots without meeting. */
static struct tally_slot *
slot_of(struct tally *tally, const struct operation *operation)
{
	size_t at = (uintptr_t)operation / sizeof *operation;

	for (size_t i = 0; i < TALLY_SLOTS; i++) {
		struct tally_slot *slot = &tally->slots[(at + i) & (TALLY_SLOTS - 1)];
		const struct operation *there = atomic_load_explicit(&slot->operation, memory_order_relaxed);

		if (there == NULL)
			atomic_store_explicit(&slot->operation, operation, memory_order_relaxed);
		if (there == NULL || there == operation)
			return slot;
	}
	return NULL;
}

void
tally_add(struct tally *tally, const struct operation *operation, tide_err code, uint64_t us)
{
	struct tally_slot *slot = slot_of(tally, operation != NULL ? operation : &unknown);
	uint32_t bucket = 0;

	if (slot == NULL || (unsigned)code >= TALLY_CODES)
		return;
	while (bucket < TALLY_BUCKETS && us > tally_bounds_us[bucket])
		bucket++;
	tally_count(&slot->codes[code], 1);
	tally_count(&slot->buckets[bucket], 1);
	tally_count(&slot->us, us);
}

static struct tally_sum *
sum_of(struct tally_sum *sums, uint32_t *n, const struct operation *operation)
{
	for (uint32_t i = 0; i < *n; i++)
		if (sums[i].operation == operation)
			return &sums[i];
	if (*n == TALLY_SLOTS)
		return NULL;
	sums[*n] = (struct tally_sum){.operation = operation};
	return &sums[(*n)++];
}

void
tally_sum(const struct tally *tally, struct tally_sum *sums, uint32_t *n)
{
	for (size_t i = 0; i < TALLY_SLOTS; i++) {
		const struct tally_slot *slot = &tally->slots[i];
		const struct operation *operation =
		    atomic_load_explicit(&slot->operation, memory_order_relaxed);
		struct tally_sum *sum;

		if (operation == NULL || (sum = sum_of(sums, n, operation)) == NULL)
			continue;
		for (size_t code = 0; code < TALLY_CODES; code++)
			sum->codes[code] += atomic_load_explicit(&slot->codes[code], memory_order_relaxed);
		for (size_t b = 0; b <= TALLY_BUCKETS; b++) {
			uint64_t here = atomic_load_explicit(&slot->buckets[b], memory_order_relaxed);

			sum->buckets[b] += here;
			sum->n += here;
		}
		sum->us += atomic_load_explicit(&slot->us, memory_order_relaxed);
	}
}
