#include "chaos/sim/sim_region_priv.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "store/journal/journal_memory.h"
#include "store/kv/kv_memory.h"

/* --- what the parts have in common --- */

uint64_t
sim__now(const struct sim_region *region)
{
	return region->env.now_ms(region->env.arg);
}

/* splitmix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
uint64_t
sim__random(void *arg)
{
	struct sim_region *region = arg;
	uint64_t z = region->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

const char *
sim__name(uint8_t region, char out[16])
{
	snprintf(out, 16, "r%u", region);
	return out;
}

void
sim__send(struct sim_region *region, enum sim_part from, struct sim_node to, uint64_t call, bool answer,
    struct bytes message)
{
	region->env.send(
	    region->env.arg, (struct sim_node){region->options.region, from}, to, call, answer, message);
}

/* --- log lines --- */

/* Whose code runs on this thread: what it logs belongs to that region's trace. */
static _Thread_local struct sim_region *at_work;

static void
take_line(enum log_level level, const char *id, const char *text)
{
	char line[1024];

	(void)level;
	if (at_work == NULL || at_work->env.say == NULL)
		return;
	snprintf(line, sizeof line, "%s %s", id, text);
	at_work->env.say(at_work->env.arg, at_work->options.region, line);
}

static struct sim_region *
enter(struct sim_region *region)
{
	struct sim_region *before = at_work;

	at_work = region;
	return before;
}

/* --- disks --- */

/* Everything in the region's folder, its folders' disks too. */
static void
empty_folder(const struct sim_region *region)
{
	char path[SIM_PATH_MAX + 300];
	struct dirent *entry;
	DIR *d = opendir(region->dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, sizeof path, "%s/%s", region->dir, entry->d_name);
		if (unlink(path) == 0 || rmdir(path) != 0)
			continue;
		journal_memory_disk_destroy(path); /* a former incarnation's */
		kv_memory_disk_destroy(path);
	}
	if (d != NULL)
		closedir(d);
}

static bool
make_disks(struct sim_region *region)
{
	return journal_memory_disk_make(region->journal) == TIDE_OK &&
	       kv_memory_disk_make(region->store) == TIDE_OK;
}

static void
destroy_disks(struct sim_region *region)
{
	empty_folder(region);
	journal_memory_disk_destroy(region->journal);
	kv_memory_disk_destroy(region->store);
}

void
sim_region_wipe(struct sim_region *region)
{
	bool made;

	assert(region->api == NULL);
	destroy_disks(region);
	made = make_disks(region);
	assert(made);
	(void)made;
}

/* --- life --- */

struct sim_region *
sim_region_new(const struct sim_env *env, const struct sim_region_options *options)
{
	struct sim_region *region = calloc(1, sizeof *region);

	if (region == NULL)
		return NULL;
	log_redirect(take_line);
	region->env = *env;
	region->options = *options;
	snprintf(region->dir, sizeof region->dir, "%s", options->dir);
	snprintf(region->journal, sizeof region->journal, "%s/journal", region->dir);
	snprintf(region->store, sizeof region->store, "%s/store", region->dir);
	region->options.dir = region->dir;
	region->random = options->seed;
	if (!make_disks(region)) {
		destroy_disks(region);
		free(region);
		return NULL;
	}
	return region;
}

void
sim_region_free(struct sim_region *region)
{
	if (region == NULL)
		return;
	sim_region_kill_replicator(region);
	sim_region_kill_api(region, NULL, NULL);
	destroy_disks(region);
	free(region);
}

tide_err
sim_region_start_api(struct sim_region *region, struct tide_error *error)
{
	struct sim_region *before = enter(region);
	tide_err rc;

	assert(region->api == NULL);
	region->lives++;
	rc = sim_api_start(region, error);
	enter(before);
	return rc;
}

static void
end_api(struct sim_region *region, bool clean)
{
	struct sim_region *before = enter(region);

	sim_api_end(region, clean);
	enter(before);
}

void
sim_region_kill_api(struct sim_region *region, bool (*keep)(void *context, size_t index), void *context)
{
	tide_err rc;

	if (region->api == NULL)
		return;
	end_api(region, false);
	rc = kv_memory_disk_crash(region->store, keep, context);
	assert(rc == TIDE_OK);
	(void)rc;
}

void
sim_region_stop_api(struct sim_region *region)
{
	if (region->api != NULL)
		end_api(region, true);
}

void
sim_region_start_replicator(struct sim_region *region)
{
	struct sim_region *before = enter(region);

	assert(region->replicator == NULL);
	region->lives++;
	region->replicator = sim_replicator_new(region);
	assert(region->replicator != NULL);
	enter(before);
}

void
sim_region_kill_replicator(struct sim_region *region)
{
	sim_replicator_free(region->replicator);
	region->replicator = NULL;
}

bool
sim_region_api_runs(const struct sim_region *region)
{
	return region->api != NULL;
}

bool
sim_region_replicator_runs(const struct sim_region *region)
{
	return region->replicator != NULL;
}

/* --- what comes --- */

void
sim_region_deliver(struct sim_region *region, struct sim_node from, enum sim_part to, uint64_t call,
    bool answer, struct bytes message)
{
	struct sim_region *before = enter(region);

	if (to == SIM_API && region->api != NULL && !answer)
		sim_api_deliver(region->api, from, call, message);
	else if (to == SIM_REPLICATOR && region->replicator != NULL)
		sim_replicator_deliver(region->replicator, from, call, answer, message);
	enter(before);
}

void
sim_region_connected(struct sim_region *region, struct sim_node from, bool up)
{
	struct sim_region *before = enter(region);

	if (region->replicator != NULL)
		sim_replicator_connected(region->replicator, from, up);
	enter(before);
}

/* --- what is done --- */

static bool
do_work(struct sim_region *region, enum sim_work work)
{
	if (work == SIM_LINK || work == SIM_LATE)
		return sim_replicator_do(region->replicator, work);
	return sim_api_do(region->api, work);
}

bool
sim_region_step(struct sim_region *region, uint64_t choice)
{
	struct sim_region *before = enter(region);
	unsigned ready = 0, n = 0, nth;
	bool did = false;

	if (region->api != NULL)
		ready |= sim_api_ready(region->api);
	if (region->replicator != NULL)
		ready |= sim_replicator_ready(region->replicator);
	/* What seemed ready may turn out not to be: then another kind is. */
	while (ready != 0 && !did) {
		unsigned work = 1;

		n = (unsigned)__builtin_popcount(ready);
		nth = (unsigned)(choice % n);
		for (;; work <<= 1) {
			if ((ready & work) == 0)
				continue;
			if (nth-- == 0)
				break;
		}
		did = do_work(region, (enum sim_work)work);
		ready &= ~work;
	}
	enter(before);
	return did;
}

uint64_t
sim_region_wake(const struct sim_region *region)
{
	uint64_t api = region->api != NULL ? sim_api_wake(region->api) : UINT64_MAX;
	uint64_t replicator =
	    region->replicator != NULL ? sim_replicator_wake(region->replicator) : UINT64_MAX;

	return api < replicator ? api : replicator;
}

/* --- looking inside --- */

struct region *
sim_region_api(struct sim_region *region)
{
	return region->api != NULL ? sim_api_region(region->api) : NULL;
}

uint8_t
sim_region_of(const void *wall_arg, void **env_arg)
{
	const struct sim_region *region = wall_arg;

	*env_arg = region->env.arg;
	return region->options.region;
}

const char *
sim_region_journal_disk(const struct sim_region *region)
{
	return region->journal;
}

const char *
sim_region_store_disk(const struct sim_region *region)
{
	return region->store;
}

struct sim_load
sim_region_load(const struct sim_region *region)
{
	struct sim_load load = {.bytes_held = region->bytes_held}, part;

	if (region->api != NULL) {
		part = sim_api_load(region->api);
		load.requests += part.requests;
		load.bytes_held += part.bytes_held;
	}
	if (region->replicator != NULL) {
		part = sim_replicator_load(region->replicator);
		load.requests += part.requests;
		load.bytes_held += part.bytes_held;
	}
	return load;
}
