#include "chaos/sim/registry.h"

#include <stddef.h>

const struct sim_actor *const sim_actors[] = {&actor_writer, &actor_racer, &actor_burst, &actor_chain,
    &actor_waiter, &actor_sweeper, &actor_operator, &actor_leaver, &actor_expiry, &actor_index, &actor_teller,
    NULL};

/* A fault's place in this list is its bit in the plan: new ones go to the end, or seeds mean other worlds. */
const struct sim_fault *const sim_faults[] = {&fault_crash, &fault_crash_both, &fault_crash_replicator,
    &fault_torn, &fault_sync, &fault_full, &fault_store, &fault_cut, &fault_one_way, &fault_bridge,
    &fault_ring, &fault_flap, &fault_slow, &fault_skew, &fault_jump, &fault_drift, &fault_frozen, &fault_wipe,
    &fault_pause, &fault_trim, &fault_stop, NULL};

const struct sim_check *const sim_checks[] = {&check_expiry, &check_shipped, &check_order, &check_state,
    &check_causes, &check_positions, &check_kept, &check_conflicts, &check_journal, &check_bounds,
    &check_guard, &check_index, &check_transactions, NULL};
