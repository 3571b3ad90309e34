/*
 * The store made again from the journal, when it is lost, cannot be opened, or is found damaged. The journal must be there from its first
 * sequence on, and all of it must read well: that is made sure of before anything is touched.
 *
 *     checkpoint-N    are deleted: they speak of a store that goes
 *     store/          becomes store.damaged/, which is deleted once the new one is complete
 *     store.rebuild   is the order to do it at the next opening; goes last
 *
 * A crash on the way is finished by the next opening: without a checkpoint everything is replayed into an emptied store.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/shard/shard_priv.h"

#define ORDER "store.rebuild"
#define ASIDE "store.damaged"

static bool
exists(const char *dir, const char *name)
{
	char path[SHARD_PATH_MAX];

	shard__path(dir, name, path);
	return access(path, F_OK) == 0;
}

/* A folder of plain files. */
static void
remove_folder(const char *dir, const char *name)
{
	char path[SHARD_PATH_MAX];
	struct dirent *entry;
	DIR *d;

	shard__path(dir, name, path);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	if (rmdir(path) != 0 && errno != ENOENT)
		log_warn("STORE-REBUILD", "path=%s why=\"%s\"", path, strerror(errno));
}

static tide_err
journal_is_whole(struct shard *shard, struct tide_error *error)
{
	struct journal_reader *reader;
	struct bytes payload;
	tide_err rc;

	if (journal_first_seq(shard->journal) != 1)
		return tide_fail(error, TIDE_CORRUPT, "the journal begins at sequence %" PRIu64,
		    journal_first_seq(shard->journal));
	if ((rc = journal_reader_open(shard->journal, 1, &reader, error)) != TIDE_OK)
		return rc;
	while ((rc = journal_reader_next(reader, &payload, NULL, error)) == TIDE_OK)
		;
	journal_reader_close(reader);
	return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
}

static tide_err
set_aside(struct shard *shard, const char *store, const char *why, struct tide_error *error)
{
	char aside[SHARD_PATH_MAX];
	struct tide_error journal;
	tide_err rc;

	if ((rc = journal_is_whole(shard, &journal)) != TIDE_OK)
		return tide_fail(error, rc == TIDE_CORRUPT ? TIDE_CORRUPT : rc,
		    "%s; it cannot be made again from the journal: %s", why, journal.message);
	log_warn("STORE-REBUILD", "dir=%s why=\"%s\"", shard->dir, why);
	checkpoint_forget_all(shard->dir);
	remove_folder(shard->dir, ASIDE);
	shard__path(shard->dir, ASIDE, aside);
	if (rename(store, aside) != 0 && errno != ENOENT)
		return tide_fail(error, TIDE_IO, "cannot rename %s: %s", store, strerror(errno));
	if ((rc = shard__sync_dir(shard->dir, error)) != TIDE_OK)
		return rc;
	shard__path(shard->dir, ORDER, aside);
	if (unlink(aside) != 0 && errno != ENOENT)
		return tide_fail(error, TIDE_IO, "cannot remove %s: %s", aside, strerror(errno));
	shard->rebuilt = true;
	return TIDE_OK;
}

static tide_err
open_store(struct shard *shard, const char *path, struct tide_error *error)
{
	struct kv_options options = shard->options.kv;
	tide_err rc = shard__make_dir(path, error);

	options.create = true;
	return rc == TIDE_OK ? kv_open(shard->options.kv_plugin, path, &options, &shard->kv, error) : rc;
}

tide_err
shard__open_store(struct shard *shard, struct tide_error *error)
{
	char path[SHARD_PATH_MAX];
	struct tide_error why;
	tide_err rc;

	shard__path(shard->dir, "store", path);
	if (exists(shard->dir, ORDER) &&
	    set_aside(shard, path, "it was ordered to be made again", &why) != TIDE_OK)
		log_err("STORE-REBUILD", "why=\"%s\"", why.message);
	/* LevelDB would make an empty store in the place of one that is gone; a checkpoint says that there was one. */
	if (!shard->rebuilt && strcmp(shard->options.kv_plugin, "leveldb") == 0 &&
	    !exists(shard->dir, "store/CURRENT") && checkpoint_exists(shard->dir) &&
	    (rc = set_aside(shard, path, "the store is missing", error)) != TIDE_OK)
		return rc;
	if ((rc = open_store(shard, path, &why)) == TIDE_CORRUPT && !shard->rebuilt &&
	    (rc = set_aside(shard, path, why.message, error)) == TIDE_OK)
		rc = open_store(shard, path, &why);
	else if (rc == TIDE_CORRUPT)
		return rc; /* `error` says both */
	if (rc != TIDE_OK)
		*error = why;
	return rc;
}

tide_err
shard__rebuild_now(struct shard *shard, const char *reason, struct tide_error *error)
{
	char path[SHARD_PATH_MAX];
	tide_err rc;

	kv_close(shard->kv);
	shard->kv = NULL;
	shard__path(shard->dir, "store", path);
	if ((rc = set_aside(shard, path, reason, error)) != TIDE_OK)
		return rc;
	return open_store(shard, path, error);
}

tide_err
shard__rebuild_whole(struct shard *shard, struct tide_error *error)
{
	tide_err rc = journal_is_whole(shard, error);

	return rc == TIDE_OK ? shard__write_file(shard->dir, ORDER, BYTES_LITERAL("1\n"), error) : rc;
}

void
shard__rebuilt(struct shard *shard)
{
	if (shard->rebuilt)
		log_info("STORE-REBUILT", "dir=%s to=%" PRIu64, shard->dir, shard->live.last_seq);
	if (shard->rebuilt || exists(shard->dir, ASIDE))
		remove_folder(shard->dir, ASIDE);
}

tide_err
shard_order_rebuild(struct shard *shard, struct tide_error *error)
{
	struct journal_hole hole;

	if (journal_first_seq(shard->journal) != 1)
		return tide_fail(error, TIDE_CORRUPT,
		    "the journal begins at sequence %" PRIu64 ": the store cannot be made again from it",
		    journal_first_seq(shard->journal));
	if (journal_holes(shard->journal, &hole, 1) > 0)
		return tide_fail(error, TIDE_CORRUPT, "the store cannot be made again: %s", hole.why);
	return shard__write_file(shard->dir, ORDER, BYTES_LITERAL("1\n"), error);
}
