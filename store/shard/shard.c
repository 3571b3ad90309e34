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
	return shard->journal;
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

static tide_err
make_dir(const char *path, struct tide_error *error)
{
	if (mkdir(path, 0700) == 0 || errno == EEXIST)
		return TIDE_OK;
	return tide_fail(error, errno == ENOSPC ? TIDE_FULL : TIDE_IO, "cannot create %s: %s", path, strerror(errno));
}

static tide_err
random_nonce(uint64_t *nonce, struct tide_error *error)
{
	if (getrandom(nonce, sizeof *nonce, 0) != (ssize_t)sizeof *nonce)
		return tide_fail(error, TIDE_IO, "no random numbers: %s", strerror(errno));
	return TIDE_OK;
}

static tide_err
find_identity(const struct shard_options *options, struct identity *identity, struct tide_error *error)
{
	tide_err rc = identity_read(options->dir, identity, error);

	if (rc == TIDE_NOTFOUND && options->create) {
		identity->id = jid_make(options->region, 1, options->shard);
		if ((rc = random_nonce(&identity->nonce, error)) == TIDE_OK)
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
	struct journal_options journal = {.id = shard->live.id, .segment_bytes = shard->options.segment_bytes,
	    .create = true};
	struct kv_options kv = shard->options.kv;
	char path[SHARD_PATH_MAX];
	tide_err rc;

	shard__path(shard->dir, "journal", path);
	if ((rc = make_dir(path, error)) != TIDE_OK ||
	    (rc = journal_open(shard->options.journal_plugin, path, &journal, &shard->journal, error)) != TIDE_OK)
		return rc;
	shard__path(shard->dir, "store", path);
	kv.create = true;
	if ((rc = make_dir(path, error)) != TIDE_OK ||
	    (rc = kv_open(shard->options.kv_plugin, path, &kv, &shard->kv, error)) != TIDE_OK)
		return rc;
	return TIDE_OK;
}

tide_err
shard_open(const struct shard_options *options, struct shard **out, struct tide_error *error)
{
	struct shard *shard;
	struct identity identity;
	tide_err rc;

	if (options->create && (rc = make_dir(options->dir, error)) != TIDE_OK)
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
	pthread_mutex_init(&shard->lock, NULL);
	pthread_mutex_init(&shard->checkpoint_lock, NULL);
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
	shard__told_fini(shard);
	fold_fini(&shard->live);
	fold_fini(&shard->work);
	buf_fini(&shard->collect_cursor);
	pthread_mutex_destroy(&shard->lock);
	pthread_mutex_destroy(&shard->checkpoint_lock);
	free(shard->dir);
	free(shard);
}

/* Everything that the folder took from peers goes: it is fetched again under the new name. */
static tide_err
start_again(struct shard *shard, const struct identity *identity, struct tide_error *error)
{
	char path[SHARD_PATH_MAX], old[SHARD_PATH_MAX + 32];
	struct journal_options options = {.id = identity->id, .segment_bytes = shard->options.segment_bytes, .create = true};
	struct journal *journal;
	struct fold fresh;
	tide_err rc;

	shard__path(shard->dir, "journal", path);
	snprintf(old, sizeof old, "%s.%08x", path, shard->live.id.v);
	if (rename(path, old) != 0)
		return tide_fail(error, TIDE_IO, "cannot rename %s: %s", path, strerror(errno));
	for (size_t i = 0; i < shard->live.n_tables; i++)
		if ((rc = shard__clear_table(shard->kv, shard->live.tables[i]->id)) != TIDE_OK)
			return tide_fail(error, rc, NULL);
	if ((rc = identity_write(shard->dir, identity, error)) != TIDE_OK || (rc = make_dir(path, error)) != TIDE_OK ||
	    (rc = journal_open(shard->options.journal_plugin, path, &options, &journal, error)) != TIDE_OK)
		return rc;
	shard->retired[shard->n_retired++] = shard->journal;
	shard->journal = journal;
	if ((rc = fold_init(&fresh, identity->id)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	/* The clock goes on: what was promised before holds. */
	fresh.clock = hlc_max(shard->live.clock, shard->work.clock);
	fold_fini(&shard->live);
	shard->live = fresh;
	shard->nonce = identity->nonce;
	memset(shard->counted, 0, sizeof shard->counted);
	shard->bytes_at_checkpoint = 0;
	shard__told_fini(shard);
	return fold_copy(&shard->work, &shard->live);
}

tide_err
shard_take_incarnation(struct shard *shard, uint16_t incarnation, struct tide_error *error)
{
	struct identity identity = {jid_make(jid_region(shard->work.id), incarnation, jid_shard(shard->work.id)), 0};
	tide_err rc;

	for (size_t i = 0; i < shard->work.n_tables; i++)
		if (shard->work.tables[i]->own_last.seq != 0)
			return tide_fail(error, TIDE_USAGE, "this journal has written: it cannot take another incarnation");
	if (shard->group != NULL && shard->group->first != NULL)
		return tide_fail(error, TIDE_USAGE, "the open group is not empty");
	if (incarnation <= jid_incarnation(shard->work.id) || shard->n_retired == RETIRED_MAX)
		return tide_fail(error, TIDE_USAGE, "incarnation %u is not a later one", incarnation);
	if ((rc = random_nonce(&identity.nonce, error)) != TIDE_OK)
		return rc;
	pthread_mutex_lock(&shard->checkpoint_lock);
	pthread_mutex_lock(&shard->lock);
	if ((rc = start_again(shard, &identity, error)) != TIDE_OK)
		shard->sealed = true;
	else if (shard->group != NULL)
		shard->group->next_seq = shard->work.last_seq + 1;
	pthread_mutex_unlock(&shard->lock);
	pthread_mutex_unlock(&shard->checkpoint_lock);
	if (rc == TIDE_OK)
		log_warn("REBORN", "journal=%08x incarnation=%u", identity.id.v, incarnation);
	return rc;
}
