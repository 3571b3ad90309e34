#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "store/shard/group_priv.h"

#define SKEW_MS_DEFAULT 500
#define CONFLICT_RETENTION_MS_DEFAULT (30ull * 24 * 3600 * 1000)

uint64_t
shard_wall_ms(struct shard *shard)
{
	struct timespec now;

	if (shard->options.wall_ms != NULL)
		return shard->options.wall_ms(shard->options.wall_arg);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct jid
shard_id(struct shard *shard)
{
	struct jid id;

	pthread_mutex_lock(&shard->lock);
	id = shard->live.id;
	pthread_mutex_unlock(&shard->lock);
	return id;
}

uint64_t
shard_nonce(struct shard *shard)
{
	uint64_t nonce;

	pthread_mutex_lock(&shard->lock);
	nonce = shard->nonce;
	pthread_mutex_unlock(&shard->lock);
	return nonce;
}

struct journal *
shard_journal(struct shard *shard)
{
	struct journal *journal;

	pthread_mutex_lock(&shard->lock);
	journal = shard->journal; /* a new incarnation has a new one */
	pthread_mutex_unlock(&shard->lock);
	return journal;
}

struct kv *
shard_kv(struct shard *shard)
{
	return shard->kv;
}

uint64_t
shard_last_seq(struct shard *shard)
{
	uint64_t seq;

	pthread_mutex_lock(&shard->lock);
	seq = shard->live.last_seq;
	pthread_mutex_unlock(&shard->lock);
	return seq;
}

void
shard_observe(struct shard *shard, shard_observe_fn fn, void *arg)
{
	if (shard->n_observers == OBSERVERS_MAX)
		abort(); /* a bug of ours: the number of observers is fixed in the code */
	shard->observers[shard->n_observers].fn = fn;
	shard->observers[shard->n_observers++].arg = arg;
}

void
shard_set_naming(struct shard *shard, bool (*describe)(void *arg, uint64_t table, struct shard_naming *out),
    const char *(*region)(void *arg, uint8_t number), void *arg)
{
	shard->describe = describe;
	shard->region_name = region;
	shard->naming_arg = arg;
}

void
shard_set_peers(struct shard *shard, const uint8_t *regions, unsigned n)
{
	shard->n_peers = 0;
	for (unsigned i = 0; i < n && i < REGION_NUMBER_MAX; i++)
		shard->peers[shard->n_peers++] = regions[i];
}

/* The folder is on disk when this returns: what is synced inside would be lost with it. */
tide_err
shard__make_dir(const char *path, struct tide_error *error)
{
	char parent[SHARD_PATH_MAX];

	if (mkdir(path, 0700) != 0)
		return errno == EEXIST ? TIDE_OK
				       : tide_fail(error, errno == ENOSPC ? TIDE_FULL : TIDE_IO,
					     "cannot create %s: %s", path, strerror(errno));
	shard__path(path, "..", parent);
	return shard__sync_dir(parent, error);
}

tide_err
shard__random(const struct shard_options *options, uint64_t *out, struct tide_error *error)
{
	if (options->random != NULL)
		*out = options->random(options->random_arg);
	else if (getrandom(out, sizeof *out, 0) != (ssize_t)sizeof *out)
		return tide_fail(error, TIDE_IO, "no random numbers: %s", strerror(errno));
	return TIDE_OK;
}

/* A folder that lost its name must not take a new one: its peers would hear a stranger speak for the region. */
static bool
has_journal(const char *dir)
{
	char path[SHARD_PATH_MAX];
	struct tide_error ignored;
	struct jid id;

	shard__path(dir, "journal", path);
	return journal_peek_id(path, &id, &ignored) == TIDE_OK;
}

static tide_err
find_identity(const struct shard_options *options, struct identity *identity, struct tide_error *error)
{
	tide_err rc = identity_read(options->dir, identity, error);

	if (rc == TIDE_NOTFOUND && has_journal(options->dir))
		return tide_fail(error, TIDE_CORRUPT, "%s has a journal but no identity", options->dir);
	if (rc == TIDE_NOTFOUND && options->create) {
		identity->id = jid_make(options->region, 1, options->shard);
		if ((rc = shard__random(options, &identity->nonce, error)) == TIDE_OK)
			rc = identity_write(options->dir, identity, error);
	}
	if (rc == TIDE_OK && options->region != 0 && jid_region(identity->id) != options->region)
		return tide_fail(error, TIDE_USAGE, "%s belongs to region number %u, not %u", options->dir,
		    jid_region(identity->id), options->region);
	return rc;
}

static tide_err
open_parts(struct shard *shard, struct tide_error *error)
{
	struct journal_options journal = {
	    .id = shard->live.id, .segment_bytes = shard->options.segment_bytes, .create = true};
	char path[SHARD_PATH_MAX];
	tide_err rc;

	shard__path(shard->dir, "journal", path);
	if ((rc = shard__bury_former(shard->dir, shard->live.id, error)) != TIDE_OK ||
	    (rc = shard__make_dir(path, error)) != TIDE_OK ||
	    (rc = journal_open(shard->options.journal_plugin, path, &journal, &shard->journal, error)) !=
		TIDE_OK)
		return rc;
	return shard__open_store(shard, error);
}

/* What of the journal cannot be read is not needed for recovery: it lies below the checkpoint. Peers may need it. */
static void
name_holes(struct shard *shard)
{
	struct journal_hole holes[SHARD_JOURNAL_DAMAGE_MAX];
	uint32_t n = journal_holes(shard->journal, holes, SHARD_JOURNAL_DAMAGE_MAX);

	for (uint32_t i = 0; i < n && i < SHARD_JOURNAL_DAMAGE_MAX; i++)
		shard__journal_damaged(shard, holes[i].why);
}

tide_err
shard_open(const struct shard_options *options, struct shard **out, struct tide_error *error)
{
	struct shard *shard;
	struct identity identity = {0};
	tide_err rc;

	if (options->create && (rc = shard__make_dir(options->dir, error)) != TIDE_OK)
		return rc;
	if ((rc = find_identity(options, &identity, error)) != TIDE_OK)
		return rc;
	if ((shard = calloc(1, sizeof *shard)) == NULL || (shard->dir = strdup(options->dir)) == NULL) {
		free(shard);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	shard->options = *options;
	shard->options.dir = shard->dir;
	if (shard->options.skew_ms_max == 0)
		shard->options.skew_ms_max = SKEW_MS_DEFAULT;
	if (shard->options.conflict_retention_ms == 0)
		shard->options.conflict_retention_ms = CONFLICT_RETENTION_MS_DEFAULT;
	shard->nonce = identity.nonce;
	memcpy(shard->kept, identity.kept, sizeof shard->kept);
	shard->n_kept = identity.n_kept;
	pthread_mutex_init(&shard->lock, NULL);
	pthread_mutex_init(&shard->checkpoint_lock, NULL);
	wall__init(&shard->wall);
	health__init(&shard->health);
	if ((rc = fold_init(&shard->live, identity.id)) != TIDE_OK)
		tide_fail(error, rc, NULL);
	if (rc == TIDE_OK && (rc = open_parts(shard, error)) == TIDE_OK &&
	    (rc = shard__recover(shard, error)) == TIDE_OK &&
	    (rc = fold_copy(&shard->work, &shard->live)) != TIDE_OK)
		tide_fail(error, rc, NULL);
	if (rc != TIDE_OK) {
		shard_close(shard, false);
		return rc;
	}
	shard__remove_retired(shard);
	shard__rebuilt(shard);
	name_holes(shard);
	*out = shard;
	return TIDE_OK;
}

void
shard_close(struct shard *shard, bool checkpoint)
{
	struct tide_error error;

	if (shard == NULL)
		return;
	if (checkpoint && shard_checkpoint(shard, &error) != TIDE_OK)
		log_err("CHECKPOINT-FAILED", "why=\"%s\"", error.message);
	if (shard->group != NULL)
		group_abandon(shard->group);
	kv_close(shard->kv);
	journal_close(shard->journal);
	for (unsigned i = 0; i < shard->n_retired; i++)
		journal_close(shard->retired[i]);
	told_list__fini(&shard->told);
	told_list__fini(&shard->heard);
	fold_fini(&shard->live);
	fold_fini(&shard->work);
	pthread_mutex_destroy(&shard->lock);
	pthread_mutex_destroy(&shard->checkpoint_lock);
	wall__fini(&shard->wall);
	health__fini(&shard->health);
	free(shard->dir);
	free(shard);
}
