/* What is to happen later: messages on their way, and timers. A heap by time; equal times in the order they were made. */
#include <stdlib.h>

#include "chaos/sim/world.h"

struct event {
	uint64_t at_ms, order;
	/* a timer */
	void (*fn)(struct world *world, uint64_t arg);
	uint64_t arg;
	/* a message */
	struct sim_node from, to;
	uint32_t from_generation, to_generation;
	uint64_t call;
	bool answer;
	uint8_t *at;
	size_t n;
};

static bool
earlier(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void
push(struct world *world, struct event event)
{
	uint32_t i = world->n_heap;

	if (world->n_heap == world->heap_room) {
		uint32_t room = world->heap_room == 0 ? 256 : world->heap_room * 2;
		struct event *heap = realloc(world->heap, room * sizeof *heap);

		if (heap == NULL) {
			free(event.at);
			world_fail(world, "memory", "no memory for an event");
			return;
		}
		world->heap = heap;
		world->heap_room = room;
	}
	event.order = ++world->last_event;
	world->n_heap++;
	for (; i > 0 && earlier(&event, &world->heap[(i - 1) / 2]); i = (i - 1) / 2)
		world->heap[i] = world->heap[(i - 1) / 2];
	world->heap[i] = event;
}

static struct event
take(struct world *world, uint32_t i)
{
	struct event taken = world->heap[i], last = world->heap[--world->n_heap];
	uint32_t child;

	if (i == world->n_heap)
		return taken;
	for (; i > 0 && earlier(&last, &world->heap[(i - 1) / 2]); i = (i - 1) / 2)
		world->heap[i] = world->heap[(i - 1) / 2];
	while ((child = i * 2 + 1) < world->n_heap) {
		if (child + 1 < world->n_heap && earlier(&world->heap[child + 1], &world->heap[child]))
			child++;
		if (!earlier(&world->heap[child], &last))
			break;
		world->heap[i] = world->heap[child];
		i = child;
	}
	world->heap[i] = last;
	return taken;
}

void
world_after(struct world *world, uint64_t ms, void (*fn)(struct world *world, uint64_t arg), uint64_t arg)
{
	push(world, (struct event){.at_ms = world->now_ms + ms, .fn = fn, .arg = arg});
}

void
events_message(struct world *world, uint64_t at_ms, struct sim_node from, struct sim_node to, uint64_t call,
    bool answer, struct bytes message)
{
	struct event event = {.at_ms = at_ms,
	    .from = from,
	    .to = to,
	    .from_generation = world->generation[from.region][from.part],
	    .to_generation = world->generation[to.region][to.part],
	    .call = call,
	    .answer = answer,
	    .n = message.n};

	if ((event.at = malloc(message.n + 1)) == NULL) {
		world_fail(world, "memory", "no memory for a message");
		return;
	}
	memcpy(event.at, message.at, message.n);
	push(world, event);
}

/* What was under way when one of its ends died is lost with the connection. */
static void
deliver(struct world *world, const struct event *event)
{
	struct world_region *region = &world->regions[event->to.region];

	if (event->from_generation != world->generation[event->from.region][event->from.part] ||
	    event->to_generation != world->generation[event->to.region][event->to.part])
		return;
	region->ready = true;
	sim_region_deliver(region->sim, event->from, event->to.part, event->call, event->answer,
	    bytes_of(event->at, event->n));
}

static void
happen(struct world *world, struct event event)
{
	if (event.fn != NULL)
		event.fn(world, event.arg);
	else
		deliver(world, &event);
	free(event.at);
}

bool
events_do_one(struct world *world, uint64_t *next_ms)
{
	*next_ms = world->n_heap == 0 ? UINT64_MAX : world->heap[0].at_ms;
	if (*next_ms > world->now_ms)
		return false;
	happen(world, take(world, 0));
	return true;
}

void
events_fire_all(struct world *world)
{
	bool fired = true;

	while (fired && !world_failed(world)) {
		uint32_t first = UINT32_MAX;

		for (uint32_t i = 0; i < world->n_heap; i++)
			if (world->heap[i].fn != NULL &&
			    (first == UINT32_MAX || earlier(&world->heap[i], &world->heap[first])))
				first = i;
		fired = first != UINT32_MAX;
		if (fired)
			happen(world, take(world, first));
	}
}

void
events_fini(struct world *world)
{
	for (uint32_t i = 0; i < world->n_heap; i++)
		free(world->heap[i].at);
	free(world->heap);
	world->heap = NULL;
	world->n_heap = world->heap_room = 0;
}
