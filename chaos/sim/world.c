#include "chaos/sim/world.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/membership.h"
#include "store/shard/shard_priv.h"

#define EVENTS_MAX 3000000 /* a world that does more turns in circles */
#define STORY_BYTES_MAX (8u << 20)
#define BEGIN_MS_MAX 60000

/* --- what a person reads --- */

void
world_fail(struct world *world, const char *check, const char *format, ...)
{
	va_list args;

	if (world_failed(world))
		return;
	va_start(args, format);
	vsnprintf(world->failure, sizeof world->failure, format, args);
	va_end(args);
	world->failed_check = check;
	world_tell(world, "FAILED %s: %s", check, world->failure);
}

void
world_tell(struct world *world, const char *format, ...)
{
	char line[1200];
	va_list args;
	int n;

	if (world->story.n > STORY_BYTES_MAX)
		return;
	n = snprintf(line, sizeof line, "%4u %7llu  ", world->step, (unsigned long long)world->now_ms);
	va_start(args, format);
	vsnprintf(line + n, sizeof line - (size_t)n, format, args);
	va_end(args);
	if (world->options.trace)
		printf("%s\n", line);
	buf_append_string(&world->story, line);
	buf_append_byte(&world->story, '\n');
}

static void
say(void *arg, uint8_t region, const char *text)
{
	struct world *world = arg;

	if (world->options.trace)
		printf("%4u %7llu    r%u %s\n", world->step, (unsigned long long)world->now_ms, region, text);
}

const char *
world_region_name(uint8_t region, char text[8])
{
	snprintf(text, 8, "r%u", region);
	return text;
}

/* --- time --- */

static uint64_t
now_ms(void *arg)
{
	return ((struct world *)arg)->now_ms;
}

static uint64_t
wall_ms(void *arg, uint8_t number)
{
	struct world *world = arg;
	const struct world_region *region = &world->regions[number];
	uint64_t now = region->frozen_at_ms != 0 ? region->frozen_at_ms : world->now_ms;
	int64_t drift = 0;

	if (region->drift_per_mille != 0)
		drift = (int64_t)(now - region->drift_since_ms) * region->drift_per_mille / 1000;
	return WORLD_EPOCH_MS + (uint64_t)((int64_t)now + region->skew_ms + drift);
}

/* --- the plan --- */

static uint32_t
plan_faults(struct rng *rng)
{
	uint32_t faults = 0;

	if (rng_percent(rng, 20))
		return 0;
	for (uint32_t i = 0; sim_faults[i] != NULL; i++)
		if (rng_percent(rng, sim_faults[i]->percent))
			faults |= 1u << i;
	return faults;
}

struct world_plan
world_plan_of(const struct world_options *options)
{
	struct rng rng = rng_of(options->seed, 0);
	struct world_plan plan = {
	    .n_regions = (uint8_t)rng_between(&rng, 2, 3),
	    .n_tables = rng_between(&rng, 1, 2),
	    .n_keys = rng_between(&rng, 1, 4),
	    .n_steps = rng_between(&rng, 30, 90),
	    .pace_ms_max = rng_percent(&rng, 50)   ? 20
			   : rng_percent(&rng, 50) ? 100
						   : 400,
	    .delay_ms_min = rng_below(&rng, 10),
	    .delay_ms_max = 10 + rng_below(&rng, 40),
	    .lose = rng_percent(&rng, 50) ? 0 : rng_below(&rng, 80),
	    .repeat = rng_percent(&rng, 50) ? 0 : rng_below(&rng, 80),
	    .reorder = rng_percent(&rng, 50) ? 0 : rng_below(&rng, 300),
	};

	if (rng_percent(&rng, 15))
		plan.n_regions = (uint8_t)rng_between(&rng, 4, 5);
	if (options->large) {
		plan.n_regions = (uint8_t)rng_between(&rng, 2, SIM_REGIONS_MAX);
		plan.n_tables = rng_between(&rng, 1, 4);
		plan.n_keys = rng_between(&rng, 2, WORLD_KEYS_MAX);
		plan.n_steps = rng_between(&rng, 100, WORLD_STEPS_MAX - 10);
	}
	plan.faults = plan_faults(&rng);
	if (plan.faults == 0)
		plan.lose = plan.repeat = plan.reorder = 0;
	plan.collect = rng_percent(&rng, 60);
	plan.hot = rng_percent(&rng, 30);
	plan.membership = rng_percent(&rng, 35);
	plan.trims = rng_percent(&rng, 30);
	plan.ttl = rng_percent(&rng, 50);
	plan.watched = plan.ttl && rng_percent(&rng, 40);
	plan.indexes = rng_percent(&rng, 50);
	plan.n_accounts = rng_percent(&rng, 40) ? rng_between(&rng, 2, 4) : 0;
	return plan;
}

/* --- processes --- */

static bool
keep_some(void *context, size_t index)
{
	(void)index;
	return rng_percent(&((struct world *)context)->rng, 50);
}

struct region *
world_api(struct world *world, uint8_t region)
{
	return sim_region_api(world->regions[region].sim);
}

void
world_kill_api(struct world *world, uint8_t region)
{
	if (!sim_region_api_runs(world->regions[region].sim))
		return;
	world->generation[region][SIM_API]++;
	world->counters.crashes++;
	sim_region_kill_api(
	    world->regions[region].sim, rng_percent(&world->rng, 50) ? keep_some : NULL, world);
	network_refresh(world);
}

void
world_kill_replicator(struct world *world, uint8_t region)
{
	if (!sim_region_replicator_runs(world->regions[region].sim))
		return;
	world->generation[region][SIM_REPLICATOR]++;
	world->counters.crashes++;
	sim_region_kill_replicator(world->regions[region].sim);
	network_refresh(world);
}

static void
observe(void *arg, const struct unit *unit)
{
	struct observed *observed = arg;

	if (unit->n_entries > 0)
		observed->world->counters.conflicts += unit->n_entries;
	for (uint32_t i = 0; sim_checks[i] != NULL; i++)
		if (sim_checks[i]->unit != NULL)
			sim_checks[i]->unit(observed->world, observed->region, unit);
}

static void
start_api(struct world *world, uint8_t number)
{
	struct world_region *region = &world->regions[number];
	struct tide_error error = {.code = TIDE_OK};
	struct shard *shard;
	tide_err rc = sim_region_start_api(region->sim, &error);

	if (rc == TIDE_FULL || rc == TIDE_IO) {
		world_tell(world, "r%u does not start: %s", number, error.message);
		if (!world->healing)
			world_after(world, 100, world_start_soon, number);
		return;
	}
	if (rc != TIDE_OK) {
		world_fail(world, "recovery", "r%u does not start: %s: %s", number, tide_err_name(rc),
		    error.message);
		return;
	}
	shard = world_api(world, number)->shard;
	region->journal = shard_id(shard);
	ledger_recovered(&world->ledger, region->journal, shard_journal(shard));
	region->observed = (struct observed){world, number};
	shard_observe(shard, observe, &region->observed);
	for (uint32_t i = 0; sim_checks[i] != NULL; i++)
		if (sim_checks[i]->began != NULL)
			sim_checks[i]->began(world, number);
}

void
world_start(struct world *world, uint8_t number)
{
	struct world_region *region = &world->regions[number];

	if (!sim_region_api_runs(region->sim))
		start_api(world, number);
	if (!sim_region_replicator_runs(region->sim))
		sim_region_start_replicator(region->sim);
	region->ready = true;
	network_refresh(world);
}

void
world_start_soon(struct world *world, uint64_t region)
{
	world_start(world, (uint8_t)region);
}

/* --- work --- */

/* What checks look at has changed when this has. */
static uint64_t
mark_of(struct shard *shard)
{
	const struct fold *fold = &shard->live;
	uint64_t mark = fold->last_seq * 31 + fold->id.v;

	for (size_t i = 0; i < fold->position.n; i++)
		mark = mark * 1099511628211u + fold->position.entries[i].mark.seq;
	for (size_t i = 0; i < fold->n_tables; i++)
		mark = mark * 1099511628211u + (uint64_t)fold->tables[i]->state;
	return mark;
}

static void
look(struct world *world, uint8_t number)
{
	struct region *api = world_api(world, number);
	struct world_region *region = &world->regions[number];
	uint64_t mark;

	if (api == NULL || (mark = mark_of(api->shard)) == region->mark)
		return;
	region->mark = mark;
	for (size_t i = 0; region->ambushed && i < api->shard->live.n_tables; i++)
		if (api->shard->live.tables[i]->boot.under_way) {
			region->ambushed = false;
			world_tell(
			    world, "r%u: the API process is killed in the middle of a bootstrap", number);
			world_kill_api(world, number);
			world_after(world, rng_below(&world->rng, 100), world_start_soon, number);
			return;
		}
	region->journal = shard_id(api->shard);
	for (uint32_t i = 0; sim_checks[i] != NULL && !world_failed(world); i++)
		if (sim_checks[i]->moved != NULL)
			sim_checks[i]->moved(world, number);
}

/* One step of a ready region, by chance. False: none is ready. */
static bool
step_region(struct world *world)
{
	uint8_t ready[SIM_REGIONS_MAX], n = 0, number;

	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (world->regions[r].ready && world->regions[r].paused_until_ms <= world->now_ms)
			ready[n++] = r;
	if (n == 0)
		return false;
	number = ready[rng_below(&world->rng, n)];
	if (!sim_region_step(world->regions[number].sim, rng_next(&world->rng)))
		world->regions[number].ready = false;
	else
		look(world, number);
	return true;
}

static uint64_t
next_wake(struct world *world)
{
	uint64_t next = UINT64_MAX;

	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		uint64_t wake = sim_region_wake(world->regions[r].sim);

		if (wake < world->regions[r].paused_until_ms)
			wake = world->regions[r].paused_until_ms;
		if (wake <= world->now_ms)
			wake = world->now_ms + 1;
		if (wake < next)
			next = wake;
	}
	return next;
}

static void
advance(struct world *world, uint64_t to_ms)
{
	world->now_ms = to_ms;
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (sim_region_wake(world->regions[r].sim) <= to_ms)
			world->regions[r].ready = true;
}

void
world_work(struct world *world, uint64_t ms)
{
	uint64_t until = world->now_ms + ms, next = UINT64_MAX, wake;

	while (!world_failed(world)) {
		bool did = false;

		if (++world->counters.events > EVENTS_MAX) {
			world_fail(world, "bounds", "it does not come to an end");
			return;
		}
		/* What is due and who is ready take turns by chance. */
		if (rng_percent(&world->rng, 50))
			did = events_do_one(world, &next);
		did = did || step_region(world) || events_do_one(world, &next);
		if (did && rng_below(&world->rng, 24) != 0)
			continue;
		if (did) { /* work takes time */
			if (world->now_ms + 1 > until)
				return;
			advance(world, world->now_ms + 1);
			continue;
		}
		if ((wake = next_wake(world)) < next)
			next = wake;
		if (next > until) {
			if (until > world->now_ms)
				advance(world, until);
			return;
		}
		advance(world, next);
	}
}

/* --- chance --- */

uint8_t
world_any_region(struct world *world)
{
	return (uint8_t)rng_between(&world->rng, 1, world->plan.n_regions);
}

uint8_t
world_other_region(struct world *world, uint8_t than)
{
	uint8_t other = (uint8_t)rng_between(&world->rng, 1, world->plan.n_regions - 1u);

	return other >= than ? other + 1 : other;
}

struct world_table *
world_any_table(struct world *world)
{
	uint32_t n = 0, chosen;

	for (uint32_t i = 0; i < world->n_tables; i++)
		n += !world->tables[i].deleted;
	chosen = rng_below(&world->rng, n);
	for (uint32_t i = 0; i < world->n_tables; i++)
		if (!world->tables[i].deleted && chosen-- == 0)
			return &world->tables[i];
	return NULL;
}

const struct world_table *
world_table(const struct world *world, uint64_t id)
{
	for (uint32_t i = 0; i < world->n_tables; i++)
		if (world->tables[i].id == id)
			return &world->tables[i];
	return NULL;
}

/* --- a life --- */

static void
begin(struct world *world)
{
	uint64_t deadline = BEGIN_MS_MAX;
	char name[24];

	world->rng = rng_of(world->options.seed, 1);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		world_start(world, r);
	for (uint8_t r = 1; r <= world->plan.n_regions && !world_failed(world); r++)
		while (!region_may_write(world_api(world, r)) && !world_failed(world)) {
			world_work(world, 20);
			if (world->now_ms > deadline)
				world_fail(world, "begin", "r%u never may write", r);
		}
	for (uint32_t t = 0; t < world->plan.n_tables && !world_failed(world); t++) {
		snprintf(name, sizeof name, "t%u", t);
		client_make_table(world, 1, name);
		world_work(world, 2);
		for (uint8_t r = 2; r <= world->plan.n_regions && world->n_tables > t; r++) {
			if (r > 2 && rng_percent(&world->rng, 20))
				continue; /* not every region replicates each */
			client_change_replica(world, 1, &world->tables[t], r, true);
			/* Only one at a time, as everywhere. */
			for (uint32_t i = 0; i < 40 && !world_failed(world) &&
					     shard_table_state(world_api(world, r)->shard,
						 world->tables[t].id) != REPLICA_ACTIVE;
			     i++)
				world_work(world, 50);
			world_work(world, 30);
		}
	}
	/* Some worlds begin while the replicas still load. */
	if (rng_percent(&world->rng, 70))
		world_work(world, 1500);
}

static const struct sim_actor *
choose_actor(struct world *world)
{
	uint32_t sum = 0, at;

	for (uint32_t i = 0; sim_actors[i] != NULL; i++)
		sum += sim_actors[i]->weight;
	at = rng_below(&world->rng, sum);
	for (uint32_t i = 0; sim_actors[i] != NULL; i++) {
		if (at < sim_actors[i]->weight)
			return sim_actors[i];
		at -= sim_actors[i]->weight;
	}
	return sim_actors[0];
}

static const struct sim_fault *
choose_fault(struct world *world)
{
	uint32_t sum = 0, at;

	for (uint32_t i = 0; sim_faults[i] != NULL; i++)
		if (world->plan.faults >> i & 1)
			sum += sim_faults[i]->weight;
	at = rng_below(&world->rng, sum);
	for (uint32_t i = 0; sim_faults[i] != NULL; i++) {
		if (!(world->plan.faults >> i & 1))
			continue;
		if (at < sim_faults[i]->weight)
			return sim_faults[i];
		at -= sim_faults[i]->weight;
	}
	return NULL;
}

static void
one_step(struct world *world)
{
	uint8_t region = world_any_region(world);
	const struct sim_fault *fault = NULL;

	if (world->plan.faults != 0 && rng_percent(&world->rng, 22))
		fault = choose_fault(world);
	if (fault != NULL)
		fault->strike(world, region);
	else
		choose_actor(world)->act(world, region);
	world_work(world, rng_below(&world->rng, world->plan.pace_ms_max + 1));
}

static tide_err
collect_run(struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error)
{
	uint32_t collected = 0;
	tide_err rc = group_collect(group, 100, &collected);

	(void)region;
	(void)arg;
	world->counters.collected += collected;
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

void
world_collect(struct world *world, uint8_t region)
{
	client_submit(world, region, "collects tombstones", collect_run, NULL);
}

/* What could have been forgotten wrongly shows when it is written once more. */
static void
second_life(struct world *world)
{
	for (uint8_t r = 1; r <= world->plan.n_regions; r++)
		if (world->plan.collect && rng_percent(&world->rng, 60))
			world_collect(world, r);
	world_work(world, 50);
	for (uint32_t t = 0; t < world->n_tables; t++)
		for (uint8_t key = 0; key < world->plan.n_keys && !world->tables[t].deleted; key++)
			client_write(world, world_any_region(world), &world->tables[t], key, CLIENT_PUT);
	world_work(world, 50);
}

bool
world_run(struct world *world)
{
	uint32_t n = world->plan.n_steps;

	begin(world);
	for (uint32_t i = 0; i < n && !world_failed(world); i++) {
		world->step = i + 1;
		if (world->options.left_out != NULL && i < world->options.n_left_out &&
		    world->options.left_out[i])
			continue;
		world->rng = rng_of(world->options.seed, 100 + i);
		one_step(world);
	}
	for (uint32_t life = 1; life <= 2 && !world_failed(world); life++) {
		world->step = n + life;
		world->rng = rng_of(world->options.seed, 1 + life);
		world_settle(world);
		if (life == 1 && !world_failed(world))
			second_life(world);
	}
	return !world_failed(world);
}

/* --- making and ending --- */

static const char *
region_dir(const struct world *world, uint8_t region, char path[4096])
{
	if (region == 0)
		snprintf(path, 4096, "%s/world-%ld-%u", world->options.dir, (long)getpid(), world->nth);
	else
		snprintf(path, 4096, "%s/world-%ld-%u/r%u", world->options.dir, (long)getpid(), world->nth,
		    region);
	return path;
}

static int
remove_one(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

struct world *
world_new(const struct world_options *options)
{
	static uint32_t worlds;
	struct world *world = calloc(1, sizeof *world);
	struct sim_env env = {world, now_ms, wall_ms, network_send, say};
	char path[4096];

	if (world == NULL)
		return NULL;
	world->nth = ++worlds;
	world->options = *options;
	world->plan = world_plan_of(options);
	world->now_ms = 1000;
	arena_init(&world->scratch, 0);
	nftw(region_dir(world, 0, path), remove_one, 16,
	    FTW_DEPTH | FTW_PHYS); /* of a process of this number that died */
	mkdir(path, 0700);
	for (uint8_t r = 1; r <= world->plan.n_regions; r++) {
		struct sim_region_options region = {.region = r,
		    .n_regions = world->plan.n_regions,
		    .dir = region_dir(world, r, path),
		    .seed = options->seed * 16 + r,
		    .watched = world->plan.watched,
		    .skew_ms_max = WORLD_GUARD_MS,
		    .retention_ms = world->plan.trims ? 1000 : 3600000,
		    .conflict_retention_ms = 86400000,
		    .segment_bytes = 2048,
		    .window = 2 + (uint32_t)(options->seed % 5),
		    .batch_bytes = options->seed % 3 == 0 ? 64 : 512};

		if (mkdir(path, 0700) != 0 && errno != EEXIST) {
			world_free(world);
			return NULL;
		}
		if ((world->regions[r].sim = sim_region_new(&env, &region)) == NULL) {
			world_free(world);
			return NULL;
		}
	}
	return world;
}

void
world_free(struct world *world)
{
	char path[4096];

	if (world == NULL)
		return;
	for (uint8_t r = 1; r <= SIM_REGIONS_MAX; r++)
		if (world->regions[r].sim != NULL) {
			sim_region_kill_replicator(world->regions[r].sim);
			sim_region_kill_api(world->regions[r].sim, NULL, NULL);
			sim_region_free(world->regions[r].sim);
		}
	nftw(region_dir(world, 0, path), remove_one, 16, FTW_DEPTH | FTW_PHYS);
	events_fini(world);
	ledger_fini(&world->ledger);
	for (uint32_t i = 0; i < sizeof world->notes / sizeof world->notes[0]; i++)
		free(world->notes[i]);
	arena_fini(&world->scratch);
	buf_fini(&world->story);
	free(world);
}
