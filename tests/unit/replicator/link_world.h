/*
 * A small world of link machines: regions with a list for a journal and an array for a vector, a network that loses, delays,
 * reorders and cuts, and one clock. Everything that happens is drawn from one seed.
 */
#ifndef TIDE_TESTS_LINK_WORLD_H
#define TIDE_TESTS_LINK_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replicator/link.h"

#define WORLD_REGIONS 4
#define WORLD_RECORDS 4000 /* per journal, at most */
#define WORLD_TABLE 100

struct world_options {
	uint64_t seed;
	unsigned regions;
	unsigned loss_percent; /* of messages between regions */
	unsigned delay_ms; /* at most, one way */
	unsigned window;
	bool cuts; /* links come and go */
	bool crashes; /* replicators and API processes die and come back */
};

struct world;

struct world *world_new(const struct world_options *options);
void world_free(struct world *world);

/* A region writes: its record names what it has applied of the others. */
void world_write(struct world *world, unsigned region);

/* Let so many milliseconds pass; everything that is due happens. Invariants are checked at every step. */
void world_run(struct world *world, unsigned ms);

/* Cut or join the link between two regions. */
void world_cut(struct world *world, unsigned a, unsigned b, bool cut);

/* The replicator of a region dies and starts again; its API process dies and starts again. */
void world_crash_replicator(struct world *world, unsigned region);
void world_crash_api(struct world *world, unsigned region);

/* From now on nothing is lost, cut or crashes. */
void world_calm(struct world *world);

/* Has every region all records of all? */
bool world_converged(const struct world *world);

/* How far a region is in another's journal. */
uint64_t world_applied(const struct world *world, unsigned region, unsigned origin);

uint64_t world_now(const struct world *world);
uint64_t world_shipped(const struct world *world); /* records sent to somebody, altogether */
uint64_t world_written(const struct world *world);

/* One line of status per origin, for a failing test. */
void world_print(const struct world *world);

#endif
