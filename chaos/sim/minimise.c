#include "chaos/sim/minimise.h"

static bool
still_fails(const struct world_options *options, const char *check, const uint8_t *left_out, uint32_t n_steps)
{
	struct world_options without = *options;
	struct world *world;
	bool fails;

	without.left_out = left_out;
	without.n_left_out = n_steps;
	without.trace = false;
	if ((world = world_new(&without)) == NULL)
		return false;
	fails = !world_run(world) && strcmp(world->failed_check, check) == 0;
	world_free(world);
	return fails;
}

uint32_t
minimise(const struct world_options *options, const char *check, uint8_t *left_out, uint32_t n_steps,
    uint32_t tries)
{
	uint8_t attempt[WORLD_STEPS_MAX];
	uint32_t kept = 0;

	/* Halves first, then smaller and smaller pieces, down to single steps. */
	for (uint32_t piece = n_steps / 2; piece > 0; piece = piece == 1 ? 0 : (piece + 1) / 2)
		for (uint32_t at = 0; at < n_steps && tries > 0; at += piece) {
			bool any = false;

			memcpy(attempt, left_out, n_steps);
			for (uint32_t i = at; i < at + piece && i < n_steps; i++) {
				any |= attempt[i] == 0;
				attempt[i] = 1;
			}
			if (!any)
				continue;
			tries--;
			if (still_fails(options, check, attempt, n_steps))
				memcpy(left_out, attempt, n_steps);
		}
	for (uint32_t i = 0; i < n_steps; i++)
		kept += left_out[i] == 0;
	return kept;
}
