/*
 * Nothing travels for nothing: counts what is shipped. In a world without faults a record goes to each other region about once.
 */
#include <stdlib.h>

#include "chaos/sim/registry.h"
#include "replicator/wire.h"

#define ONCE_MORE 60 /* records that sessions send again, when they are opened for the world's first tables */
#define ONCE_MORE_EACH                                                                                       \
	8 /* and for each replica that comes, goes or rejoins: every region asks every other anew */

struct shipped {
	uint64_t own_records;
};

static uint8_t
type_of(struct bytes message)
{
	if (message.n > 4 && message.at[0] == 0xdc)
		return message.at[4];
	return message.n > 2 && (message.at[0] & 0xf0) == 0x90 ? message.at[2] : 255;
}

static void
sent(struct world *world, struct sim_node from, struct sim_node to, bool answer, struct bytes message)
{
	struct wire_message decoded;
	struct tide_error error;
	uint8_t type;

	if (!answer || from.region == to.region)
		return;
	type = type_of(message);
	world->counters.pieces += type == WIRE_PIECE;
	if (type != WIRE_RECORDS)
		return;
	arena_reset(&world->scratch);
	if (wire_decode(&world->scratch, message, &decoded, &error) == TIDE_OK)
		world->counters.records_shipped += decoded.records.n_records;
}

static void
on_unit(struct world *world, uint8_t region, const struct unit *unit)
{
	struct shipped *shipped = world->notes[NOTES_SHIPPED];

	(void)region;
	if (shipped == NULL && (shipped = world->notes[NOTES_SHIPPED] = calloc(1, sizeof *shipped)) == NULL)
		abort();
	shipped->own_records += unit->n_entries;
	for (uint32_t i = 0; unit->kind == UNIT_LOCAL && i < unit->n_records; i++)
		shipped->own_records += !table_is_own(unit->records[i].table);
}

static void
settled(struct world *world)
{
	struct shipped *shipped = world->notes[NOTES_SHIPPED];
	const struct world_counters *counters = &world->counters;
	uint64_t changes = counters->replicas_added + counters->replicas_removed + counters->rejoins;
	uint64_t bound = shipped == NULL ? 0
					 : shipped->own_records * (world->plan.n_regions - 1u) + ONCE_MORE +
					       ONCE_MORE_EACH * changes;

	if (world->plan.faults == 0 && world->counters.records_shipped > bound)
		world_fail(world, "shipped", "%llu records travelled, of %llu written for %u other regions",
		    (unsigned long long)world->counters.records_shipped,
		    shipped == NULL ? 0 : (unsigned long long)shipped->own_records,
		    world->plan.n_regions - 1);
}

const struct sim_check check_shipped = {.name = "shipped", .unit = on_unit, .sent = sent, .settled = settled};
