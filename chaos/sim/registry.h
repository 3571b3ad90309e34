/* Every actor, fault and check that there is: registry.c lists them for the world. */
#ifndef TIDE_CHAOS_SIM_REGISTRY_H
#define TIDE_CHAOS_SIM_REGISTRY_H

#include "chaos/sim/world.h"

extern const struct sim_actor actor_writer, actor_racer, actor_burst, actor_chain, actor_waiter,
    actor_sweeper, actor_operator, actor_leaver, actor_expiry, actor_index, actor_teller;

extern const struct sim_fault fault_crash, fault_crash_both, fault_crash_replicator, fault_torn, fault_sync,
    fault_full, fault_store, fault_cut, fault_one_way, fault_bridge, fault_ring, fault_flap, fault_slow,
    fault_skew, fault_jump, fault_drift, fault_frozen, fault_wipe, fault_pause, fault_trim, fault_stop;

extern const struct sim_check check_state, check_order, check_causes, check_positions, check_conflicts,
    check_shipped, check_bounds, check_journal, check_kept, check_guard, check_expiry, check_index,
    check_transactions;

/* Places in world->notes: what a check remembers. */
enum check_notes { NOTES_ORDER, NOTES_STATE, NOTES_SHIPPED, NOTES_POSITIONS, NOTES_INDEX };

/**
 * How far a region had come with an origin in a table when its last unit was on disk; it stays while its API process is down, and is
 * 0 when its disk is lost.
 */
uint64_t check_order_at(struct world *world, uint8_t region, uint64_t table, struct jid origin);

/** Does any region hold that record or what it did, running or not? */
bool check_order_held(struct world *world, uint64_t table, struct jid origin, uint64_t seq);

/** Forget a region whose disk is lost. */
void check_order_wiped(struct world *world, uint8_t region);

#endif
