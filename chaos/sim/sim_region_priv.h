/*
 * A simulated region's insides: its API process (sim_api.c) and its replicator (sim_replicator.c). A process that does not run is NULL.
 */
#ifndef TIDE_CHAOS_SIM_REGION_PRIV_H
#define TIDE_CHAOS_SIM_REGION_PRIV_H

#include "api/endpoint.h"
#include "api/maintenance.h"
#include "api/naming.h"
#include "chaos/sim/sim_region.h"
#include "replicator/link_message.h"

#define SIM_PATH_MAX 512

struct sim_api;
struct sim_replicator;

struct sim_region {
	struct sim_env env;
	struct sim_region_options options;
	char dir[SIM_PATH_MAX], journal[SIM_PATH_MAX + 16], store[SIM_PATH_MAX + 16];
	struct sim_api *api;
	struct sim_replicator *replicator;
	uint64_t random; /* the state of sim__random */
	uint64_t calls; /* last number given to a request; never one of a former process */
	uint64_t lives; /* processes started so far */
	uint64_t bytes_held; /* by payloads of the link */
};

uint64_t sim__now(const struct sim_region *region);
uint64_t sim__random(void *region);
const char *sim__name(uint8_t region, char out[16]);
void sim__send(struct sim_region *region, enum sim_part from, struct sim_node to, uint64_t call, bool answer,
    struct bytes message);

/* --- sim_api.c --- */

tide_err sim_api_start(struct sim_region *region, struct tide_error *error);
void sim_api_end(struct sim_region *region, bool clean);
void sim_api_deliver(struct sim_api *api, struct sim_node from, uint64_t call, struct bytes message);
struct region *sim_api_region(struct sim_api *api);
struct sim_load sim_api_load(const struct sim_api *api);

/* What may be done now: the bits of enum sim_work. */
enum sim_work {
	SIM_COMMIT = 1, /* a group of the committer */
	SIM_WORK = 2, /* a job or a session of the endpoint */
	SIM_TICK = 4, /* the endpoint's clock */
	SIM_TURN = 8, /* of maintenance */
	SIM_LINK = 16, /* an action of the machine */
	SIM_LATE = 32, /* requests that get no answer any more */
	SIM_WORKS = 6 /* how many kinds there are */
};
unsigned sim_api_ready(struct sim_api *api);
bool sim_api_do(struct sim_api *api, enum sim_work work);
uint64_t sim_api_wake(struct sim_api *api);

/* --- sim_replicator.c --- */

struct sim_replicator *sim_replicator_new(struct sim_region *region);
void sim_replicator_free(struct sim_replicator *replicator);
void sim_replicator_deliver(struct sim_replicator *replicator, struct sim_node from, uint64_t call,
    bool answer, struct bytes message);
void sim_replicator_connected(struct sim_replicator *replicator, struct sim_node from, bool up);
unsigned sim_replicator_ready(struct sim_replicator *replicator);
bool sim_replicator_do(struct sim_replicator *replicator, enum sim_work work);
uint64_t sim_replicator_wake(struct sim_replicator *replicator);
struct sim_load sim_replicator_load(const struct sim_replicator *replicator);

#endif
