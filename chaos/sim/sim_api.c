/* The API process of a simulated region: what api/main.c opens, without HTTP, over memory, with a committer that goes step by step. */
#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"
#include "chaos/sim/sim_region_priv.h"

#define TURN_MS_MIN 10 /* between two turns of maintenance, however often it is poked */
#define CHECKPOINT_BYTES 16384 /* small worlds shall meet checkpoints, too */
#define GROUP_BYTES_MAX 65536

/* A request, until it is answered. */
struct asked {
	struct answer answer; /* first: `reply` gets it */
	struct sim_api *api;
	struct sim_node from;
	uint64_t call;
	struct asked *next, **self; /* among the process's */
	uint8_t bytes[];
};

struct sim_api {
	struct sim_region *owner;
	struct region region;
	struct naming *naming;
	struct endpoint *endpoint;
	struct maintenance *maintenance;
	struct asked *asked;
	bool dying;
	uint64_t ticked_at, turned_at;
	struct sim_load load;
};

static uint64_t
now_of(void *arg)
{
	return sim__now(arg);
}

static uint64_t
wall_of(void *arg)
{
	struct sim_region *owner = arg;

	return owner->env.wall_ms(owner->env.arg, owner->options.region);
}

/* --- starting --- */

static void
configure(const struct sim_region_options *options, struct config *config)
{
	char name[16];

	snprintf(config->region, sizeof config->region, "%s", sim__name(options->region, name));
	snprintf(config->account, sizeof config->account, "000000000000");
	snprintf(config->data, sizeof config->data, "%s", options->dir);
	config->number = options->region;
	config->replication.max_clock_skew_ms = (uint32_t)options->skew_ms_max;
	for (uint8_t r = 1; r <= options->n_regions; r++) {
		struct config_peer *peer = &config->replication.peers[config->replication.n_peers];

		if (r == options->region)
			continue;
		snprintf(peer->region, sizeof peer->region, "%s", sim__name(r, name));
		peer->number = r;
		config->replication.n_peers++;
	}
}

static tide_err
open_shard(struct sim_api *api, struct tide_error *error)
{
	struct sim_region *owner = api->owner;
	struct shard_options options = {.dir = owner->dir,
	    .kv_plugin = "memory",
	    .journal_plugin = "memory",
	    .region = owner->options.region,
	    .segment_bytes = owner->options.segment_bytes,
	    .trim_least = 1,
	    .skew_ms_max = owner->options.skew_ms_max,
	    .conflict_retention_ms = owner->options.conflict_retention_ms,
	    .wall_ms = wall_of,
	    .mono_ms = owner->options.watched ? now_of : NULL,
	    .wall_arg = owner,
	    .random = sim__random,
	    .random_arg = owner,
	    .create = true};

	return shard_open(&options, &api->region.shard, error);
}

static tide_err
open_catalog(struct sim_api *api, struct tide_error *error)
{
	const struct config *config = &api->region.config;
	struct catalog_region regions[SIM_REGIONS_MAX] = {0};
	uint32_t n = 0;

	snprintf(regions[n].name, sizeof regions[n].name, "%s", config->region);
	regions[n++].number = config->number;
	for (uint32_t i = 0; i < config->replication.n_peers; i++) {
		snprintf(regions[n].name, sizeof regions[n].name, "%s", config->replication.peers[i].region);
		regions[n++].number = config->replication.peers[i].number;
	}
	return catalog_open(api->region.shard, regions, n, &api->region.catalog, error);
}

static tide_err
open_all(struct sim_api *api, struct tide_error *error)
{
	struct sim_region *owner = api->owner;
	struct region *region = &api->region;
	struct endpoint_options endpoint = {
	    .now_ms = now_of, .now_arg = owner, .first_id = owner->lives << 32};
	struct maintenance_options maintenance = {.now_ms = now_of,
	    .now_arg = owner,
	    .retention_ms = owner->options.retention_ms,
	    .retention_max_ms =
		owner->options.retention_max_ms != 0 ? owner->options.retention_max_ms : UINT64_MAX,
	    .checkpoint_bytes = CHECKPOINT_BYTES,
	    .backfill_bytes = 1,
	    .backfill_steps = 1};
	struct committer_options committer = {.stepped = true, .group_bytes_max = GROUP_BYTES_MAX};
	tide_err rc;

	configure(&owner->options, &region->config);
	region->started_ms = wall_of(owner);
	if ((rc = open_shard(api, error)) != TIDE_OK || (rc = open_catalog(api, error)) != TIDE_OK ||
	    (rc = naming_open(region, &api->naming, error)) != TIDE_OK ||
	    (rc = membership_open(region, error)) != TIDE_OK ||
	    (rc = endpoint_open(region, &endpoint, &api->endpoint, error)) != TIDE_OK)
		return rc;
	if ((rc = committer_start(region->shard, &committer, &region->committer)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	membership_step(region, NULL);
	return maintenance_new(region, &maintenance, &api->maintenance, error);
}

/* --- ending --- */

static void
release(struct asked *asked)
{
	if ((*asked->self = asked->next) != NULL)
		asked->next->self = asked->self;
	asked->api->load.requests--;
	asked->api->load.bytes_held -= asked->answer.in.n;
	answer_fini(&asked->answer);
	free(asked);
}

static void
drain(struct sim_api *api)
{
	while (!endpoint_stop(api->endpoint))
		committer_step(api->region.committer);
	committer_stop(api->region.committer);
	api->region.committer = NULL;
}

/* Takes one that did not start wholly. */
static void
end(struct sim_api *api, bool clean)
{
	struct region *region = &api->region;

	api->dying = !clean;
	committer_drop(region->committer);
	endpoint_close(api->endpoint);
	while (api->asked != NULL)
		release(api->asked);
	maintenance_free(api->maintenance);
	membership_close(region);
	naming_close(api->naming);
	catalog_close(region->catalog);
	shard_close(region->shard, clean);
	free(api);
}

tide_err
sim_api_start(struct sim_region *region, struct tide_error *error)
{
	struct sim_api *api = calloc(1, sizeof *api);
	tide_err rc;

	if (api == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	api->owner = region;
	api->ticked_at = api->turned_at = sim__now(region);
	if ((rc = open_all(api, error)) != TIDE_OK) {
		end(api, false);
		return rc;
	}
	region->api = api;
	return TIDE_OK;
}

void
sim_api_end(struct sim_region *region, bool clean)
{
	struct sim_api *api = region->api;

	/* What a clean stop still commits is seen by the checks, which ask the region. */
	if (clean)
		drain(api);
	region->api = NULL;
	end(api, clean);
}

/* --- requests --- */

static void
reply(struct answer *answer, struct bytes out)
{
	struct asked *asked = (struct asked *)answer;

	if (!asked->api->dying && out.n > 0)
		sim__send(asked->api->owner, SIM_API, asked->from, asked->call, true, out);
	release(asked);
}

void
sim_api_deliver(struct sim_api *api, struct sim_node from, uint64_t call, struct bytes message)
{
	struct asked *asked = malloc(sizeof *asked + message.n);

	if (asked == NULL)
		return; /* lost */
	answer_init(&asked->answer, api->endpoint, reply);
	asked->api = api;
	asked->from = from;
	asked->call = call;
	if (message.n > 0)
		memcpy(asked->bytes, message.at, message.n);
	asked->answer.in = bytes_of(asked->bytes, message.n);
	asked->next = api->asked;
	asked->self = &api->asked;
	if (asked->next != NULL)
		asked->next->self = &asked->next;
	api->asked = asked;
	api->load.requests++;
	api->load.bytes_held += message.n;
	endpoint_ask(&asked->answer);
}

/* --- work --- */

static uint64_t
tick_at(struct sim_api *api)
{
	uint64_t earliest = api->ticked_at + ENDPOINT_TICK_MS, at = endpoint_wake(api->endpoint);

	return at > earliest ? at : earliest;
}

static uint64_t
turn_at(struct sim_api *api)
{
	return api->turned_at +
	       (membership_poked(&api->region) ? TURN_MS_MIN : TURN_MS_MIN + MAINTENANCE_TURN_MS);
}

unsigned
sim_api_ready(struct sim_api *api)
{
	uint64_t now = sim__now(api->owner);
	unsigned ready = 0;

	if (committer_queued(api->region.committer) > 0)
		ready |= SIM_COMMIT;
	if (endpoint_has_work(api->endpoint))
		ready |= SIM_WORK;
	if (now >= api->ticked_at + ENDPOINT_TICK_MS && now >= tick_at(api))
		ready |= SIM_TICK;
	if (now >= turn_at(api))
		ready |= SIM_TURN;
	return ready;
}

bool
sim_api_do(struct sim_api *api, enum sim_work work)
{
	switch (work) {
	case SIM_COMMIT:
		return committer_step(api->region.committer);
	case SIM_WORK:
		return endpoint_work(api->endpoint);
	case SIM_TICK:
		api->ticked_at = sim__now(api->owner);
		endpoint_tick(api->endpoint);
		return true;
	default:
		api->turned_at = sim__now(api->owner);
		membership_wait(&api->region, 0); /* takes the poke */
		maintenance_turn(api->maintenance);
		return true;
	}
}

uint64_t
sim_api_wake(struct sim_api *api)
{
	uint64_t tick, turn;

	if (committer_queued(api->region.committer) > 0 || endpoint_has_work(api->endpoint))
		return sim__now(api->owner);
	tick = tick_at(api);
	turn = turn_at(api);
	return tick < turn ? tick : turn;
}

/* --- looking inside --- */

struct region *
sim_api_region(struct sim_api *api)
{
	return &api->region;
}

struct sim_load
sim_api_load(const struct sim_api *api)
{
	return api->load;
}
