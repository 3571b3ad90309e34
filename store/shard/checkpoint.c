/*
 * Checkpoints: the fold at one sequence, after a barrier that put everything up to it on disk in the store.
 *
 *     checkpoint-<20 digits of the sequence>   checksum (8 bytes, big-endian) | fold (fold_codec.c)
 *
 * Two are kept: should the newer be damaged, the journal still goes back to the older.
 */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/log.h"
#include "store/shard/shard_priv.h"

#define PREFIX "checkpoint-"
#define KEPT 2
#define LISTED_MAX 64

static int
newest_first(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x < y) - (x > y);
}

/* The sequences of the checkpoint files, newest first. */
static unsigned
list(const char *dir, uint64_t seqs[LISTED_MAX])
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	unsigned n = 0;
	char rest;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL && n < LISTED_MAX)
		if (sscanf(entry->d_name, PREFIX "%20" SCNu64 "%c", &seqs[n], &rest) == 1)
			n++;
	closedir(d);
	qsort(seqs, n, sizeof *seqs, newest_first);
	return n;
}

static tide_err
read_one(const char *dir, uint64_t seq, struct fold *out, struct tide_error *error)
{
	struct buf content = {0};
	char name[64];
	tide_err rc;

	snprintf(name, sizeof name, PREFIX "%020" PRIu64, seq);
	rc = shard__read_file(dir, name, &content, error);
	if (rc == TIDE_OK &&
	    (content.n < 8 || XXH3_64bits(content.at + 8, content.n - 8) != bytes_u64(content.at)))
		rc = tide_fail(error, TIDE_CORRUPT, "%s/%s is damaged", dir, name);
	if (rc == TIDE_OK && (rc = fold_decode(out, bytes_of(content.at + 8, content.n - 8))) != TIDE_OK)
		tide_fail(error, rc, "%s/%s is unreadable", dir, name);
	buf_fini(&content);
	return rc;
}

static void
path_of(const char *dir, uint64_t seq, char path[SHARD_PATH_MAX])
{
	char name[64];

	snprintf(name, sizeof name, PREFIX "%020" PRIu64, seq);
	shard__path(dir, name, path);
}

static void
forget(const char *dir, uint64_t seq)
{
	char path[SHARD_PATH_MAX];

	path_of(dir, seq, path);
	if (unlink(path) != 0)
		log_warn("CHECKPOINT-KEPT", "path=%s", path);
}

/* A damaged one must not count as one of the two that are kept. */
static void
set_aside(const char *dir, uint64_t seq)
{
	char path[SHARD_PATH_MAX], aside[SHARD_PATH_MAX + 16];

	path_of(dir, seq, path);
	snprintf(aside, sizeof aside, "%s.damaged", path);
	if (rename(path, aside) != 0)
		log_warn("CHECKPOINT-KEPT", "path=%s", path);
}

tide_err
checkpoint_read(const char *dir, struct jid id, struct fold *out, struct tide_error *error)
{
	uint64_t seqs[LISTED_MAX];
	unsigned n = list(dir, seqs);
	tide_err rc, worst = TIDE_NOTFOUND;

	for (unsigned i = 0; i < n; i++) {
		struct jid found;

		if ((rc = read_one(dir, seqs[i], out, error)) != TIDE_OK) {
			log_warn("CHECKPOINT-BAD", "why=\"%s\"", error->message);
			if (rc == TIDE_CORRUPT)
				set_aside(dir, seqs[i]);
			worst = rc;
			continue;
		}
		if (jid_same(found = out->id, id))
			return TIDE_OK;
		fold_fini(out);
		if (!shard__is_former(found, id))
			return tide_fail(error, TIDE_FENCED,
			    "checkpoint %" PRIu64 " in %s is of another journal", seqs[i], dir);
		forget(dir, seqs[i]);
	}
	return worst;
}

static void
forget_older(const char *dir)
{
	uint64_t seqs[LISTED_MAX];
	unsigned n = list(dir, seqs);

	for (unsigned i = KEPT; i < n; i++)
		forget(dir, seqs[i]);
}

void
checkpoint_each_damaged(const char *dir, void (*tell)(void *arg, const char *why), void *arg)
{
	uint64_t seqs[LISTED_MAX];
	unsigned n = list(dir, seqs);
	struct tide_error error;
	struct fold fold;

	for (unsigned i = 0; i < n; i++) {
		if (read_one(dir, seqs[i], &fold, &error) == TIDE_OK)
			fold_fini(&fold);
		else
			tell(arg, error.message);
	}
}

bool
checkpoint_exists(const char *dir)
{
	uint64_t seqs[LISTED_MAX];

	return list(dir, seqs) > 0;
}

void
checkpoint_forget_all(const char *dir)
{
	uint64_t seqs[LISTED_MAX];
	unsigned n = list(dir, seqs);

	for (unsigned i = 0; i < n; i++)
		forget(dir, seqs[i]);
}

tide_err
shard_checkpoint(struct shard *shard, struct tide_error *error)
{
	struct buf content = {0};
	uint64_t seq, bytes;
	char name[64];
	tide_err rc;

	pthread_mutex_lock(&shard->checkpoint_lock);
	pthread_mutex_lock(&shard->lock);
	buf_append_u64(&content, 0); /* the checksum's place */
	if (shard->torn)
		rc = tide_fail(
		    error, TIDE_UNKNOWN, "the store may hold half of a group: start the process again");
	else if ((rc = fold_encode(&shard->live, &content)) != TIDE_OK)
		tide_fail(error, rc, NULL);
	seq = shard->live.last_seq;
	bytes = journal_bytes(shard->journal);
	pthread_mutex_unlock(&shard->lock);
	if (rc == TIDE_OK && (rc = kv_barrier(shard->kv)) != TIDE_OK) {
		tide_fail(error, rc, "the store's barrier failed: %s", tide_err_text(rc));
		/*
		 * A barrier that succeeds after one that failed says nothing of what was written before the first. And the store will
		 * refuse what comes, which is then in the journal already: take no more.
		 */
		shard__seal(shard, rc, "the store's barrier failed: %s", tide_err_text(rc));
	}
	if (rc == TIDE_OK) {
		uint64_t sum = XXH3_64bits(content.at + 8, content.n - 8);

		for (int i = 0; i < 8; i++)
			content.at[i] = (uint8_t)(sum >> 8 * (7 - i));
		snprintf(name, sizeof name, PREFIX "%020" PRIu64, seq);
		rc = shard__write_file(shard->dir, name, buf_bytes(&content), error);
	}
	if (rc == TIDE_OK) {
		forget_older(shard->dir);
		pthread_mutex_lock(&shard->lock);
		shard->bytes_at_checkpoint = bytes;
		if (seq != shard->checkpoint_seqs[0]) {
			shard->checkpoint_seqs[1] = shard->checkpoint_seqs[0];
			shard->checkpoint_seqs[0] = seq;
		}
		pthread_mutex_unlock(&shard->lock);
		log_debug("CHECKPOINT", "seq=%" PRIu64 " bytes=%zu", seq, content.n);
	}
	if (rc != TIDE_OK)
		shard__checkpoint_failed(shard);
	buf_fini(&content);
	pthread_mutex_unlock(&shard->checkpoint_lock);
	return rc;
}

uint64_t
shard_bytes_since_checkpoint(struct shard *shard)
{
	uint64_t bytes;

	pthread_mutex_lock(&shard->lock);
	bytes = journal_bytes(shard->journal) - shard->bytes_at_checkpoint;
	pthread_mutex_unlock(&shard->lock);
	return bytes;
}
