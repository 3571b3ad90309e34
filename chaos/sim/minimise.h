/* A failing world with as few steps as its failure needs. */
#ifndef TIDE_CHAOS_SIM_MINIMISE_H
#define TIDE_CHAOS_SIM_MINIMISE_H

#include "chaos/sim/world.h"

/**
 * Leave out steps of a world that fails in that check for as long as it still does. `left_out` has a byte for each of its
 * `n_steps` steps. Returns how many steps remain. At most `tries` worlds are lived.
 */
uint32_t minimise(const struct world_options *options, const char *check, uint8_t *left_out, uint32_t n_steps,
    uint32_t tries);

#endif
