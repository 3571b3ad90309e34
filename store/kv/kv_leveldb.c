/*
 * LevelDB as the ordered store.
 *
 * Barrier. A synced write would not do: LevelDB never syncs the log that it leaves when the memtable is rotated. A
 * manual compaction of a range that holds nothing does: it rotates the memtable and waits until it is a table file,
 * synced, and named by a synced manifest. It returns nothing, but a failing flush stays as the database's background
 * error, which every later write returns: so an (empty) write after it tells.
 *
 * Checks. `paranoid_checks` makes compactions verify checksums, without which a damaged block would be copied
 * with a fresh checksum; reads verify too. It also makes an open fail on a damaged log, where our contract wants
 * the opposite: the logs hold only what came after the last barrier, any part of which may be gone after a power cut, and
 * which the journal brings back. So when an open fails as damaged, it is tried once more without the logs.
 * Damage elsewhere (manifest, tables) is TIDE_CORRUPT; `leveldb_repair_db` is not used, as it can bring back what
 * a compaction had dropped.
 *
 * Blocks are compressed with snappy, LevelDB's default: items of one table repeat their attribute names.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <leveldb/c.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "store/kv/kv_plugin.h"

#define CACHE_BYTES_DEFAULT ((size_t)64 * 1024 * 1024)
#define WRITE_BUFFER_BYTES_DEFAULT ((size_t)16 * 1024 * 1024)
#define TABLE_FILE_BYTES ((size_t)8 * 1024 * 1024)
#define BLOOM_BITS_PER_KEY 10

struct level {
	struct kv base;
	leveldb_t *db;
	leveldb_options_t *options;
	leveldb_cache_t *cache;
	leveldb_filterpolicy_t *bloom;
	leveldb_readoptions_t *reading;
	leveldb_writeoptions_t *writing;
	char *dir;
};

struct level_batch {
	struct kv_batch base;
	leveldb_writebatch_t *batch;
};

struct level_iterator {
	struct kv_iterator base;
	leveldb_iterator_t *it;
};

struct kv_snapshot {
	const leveldb_snapshot_t *snapshot;
	leveldb_readoptions_t *reading;
};

static struct level *
level_of(struct kv *kv)
{
	assert(kv->plugin == &kv_leveldb);
	return (struct level *)kv;
}

/* LevelDB tells what failed only in its sentence; these are the texts of its Status and of strerror. */
static tide_err
classify(const char *why)
{
	if (strstr(why, strerror(ENOSPC)) != NULL || strstr(why, strerror(EDQUOT)) != NULL ||
	    strstr(why, strerror(EFBIG)) != NULL)
		return TIDE_FULL;
	if (strncmp(why, "Corruption", 10) == 0)
		return TIDE_CORRUPT;
	if (strncmp(why, "IO error: lock ", 15) == 0)
		return TIDE_FENCED;
	if (strstr(why, strerror(ENOMEM)) != NULL)
		return TIDE_NOMEM;
	return TIDE_IO;
}

/* Take LevelDB's message: log it, free it, and say what it means. */
static tide_err
failed(const struct level *level, const char *doing, char *why)
{
	tide_err rc;

	if (why == NULL)
		return TIDE_OK;
	rc = classify(why);
	log_err("KV-FAIL", "doing=%s dir=%s why=\"%s\"", doing, level->dir, why);
	leveldb_free(why);
	return rc;
}

static tide_err
sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tide_err rc;

	if (fd < 0)
		return TIDE_IO;
	rc = fsync(fd) == 0 ? TIDE_OK : TIDE_IO;
	close(fd);
	return rc;
}

/* ---- open and close ---- */

static bool
has_suffix(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

/* LevelDB would make a new database over tables that lost their CURRENT file: an empty store without a word. */
static tide_err
check_dir(const char *dir, bool create, struct tide_error *error)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool tables = false;
	DIR *d;

	if ((size_t)snprintf(path, sizeof path, "%s/CURRENT", dir) >= sizeof path)
		return tide_fail(error, TIDE_IO, "store %s: the path is too long", dir);
	if (access(path, F_OK) == 0)
		return TIDE_OK;
	if (errno != ENOENT)
		return tide_fail(error, TIDE_IO, "store %s: %s", dir, strerror(errno));
	if ((d = opendir(dir)) != NULL) {
		while ((entry = readdir(d)) != NULL)
			tables |= has_suffix(entry->d_name, ".ldb") || has_suffix(entry->d_name, ".sst");
		closedir(d);
	}
	if (tables)
		return tide_fail(error, TIDE_CORRUPT, "store %s: has table files but no CURRENT file", dir);
	if (!create)
		return tide_fail(error, TIDE_NOTFOUND, "store %s: there is none", dir);
	return TIDE_OK;
}

enum logs { LOGS_ASIDE, LOGS_BACK, LOGS_REMOVE };

/* Move the logs aside, bring them back, or remove those aside. False when there was none to do it to. */
static bool
handle_logs(const char *dir, enum logs what)
{
	static const char aside[] = ".aside";
	const char *suffix = what == LOGS_ASIDE ? ".log" : ".log.aside";
	char path[PATH_MAX], other[PATH_MAX];
	struct dirent *entry;
	bool done = false;
	DIR *d = opendir(dir);

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!has_suffix(entry->d_name, suffix) || (size_t)snprintf(path, sizeof path, "%s/%s", dir,
							      entry->d_name) >= sizeof path - sizeof aside)
			continue;
		memcpy(other, path, strlen(path) + 1);
		if (what == LOGS_ASIDE)
			memcpy(other + strlen(path), aside, sizeof aside);
		else
			other[strlen(path) - strlen(aside)] = 0;
		done |= (what == LOGS_REMOVE ? unlink(path) : rename(path, other)) == 0;
		if (what == LOGS_REMOVE)
			log_warn("KV-LOG-DROPPED", "path=%s why=\"damaged after the last barrier\"", other);
	}
	if (d != NULL)
		closedir(d);
	return done;
}

static tide_err
open_db(struct level *level, struct tide_error *error)
{
	char *why = NULL;
	tide_err rc;

	level->db = leveldb_open(level->options, level->dir, &why);
	if (why != NULL && classify(why) == TIDE_CORRUPT && handle_logs(level->dir, LOGS_ASIDE)) {
		leveldb_free(why);
		why = NULL;
		level->db = leveldb_open(level->options, level->dir, &why);
		/* If that did not help, the damage is elsewhere: leave all as it was found. */
		handle_logs(level->dir, why == NULL ? LOGS_REMOVE : LOGS_BACK);
	}
	if (why == NULL)
		return TIDE_OK;
	level->db = NULL;
	rc = tide_fail(error, classify(why), "store %s: %s", level->dir, why);
	leveldb_free(why);
	return rc;
}

static void
level_close(struct kv *kv)
{
	struct level *level = level_of(kv);

	if (level->db != NULL)
		leveldb_close(level->db);
	if (level->reading != NULL)
		leveldb_readoptions_destroy(level->reading);
	if (level->writing != NULL)
		leveldb_writeoptions_destroy(level->writing);
	if (level->options != NULL)
		leveldb_options_destroy(level->options);
	if (level->bloom != NULL)
		leveldb_filterpolicy_destroy(level->bloom);
	if (level->cache != NULL)
		leveldb_cache_destroy(level->cache);
	free(level->dir);
	free(level);
}

static void
set_options(struct level *level, const struct kv_options *options)
{
	size_t cache = options->cache_bytes != 0 ? options->cache_bytes : CACHE_BYTES_DEFAULT;
	size_t buffer =
	    options->write_buffer_bytes != 0 ? options->write_buffer_bytes : WRITE_BUFFER_BYTES_DEFAULT;

	level->options = leveldb_options_create();
	level->cache = leveldb_cache_create_lru(cache);
	level->bloom = leveldb_filterpolicy_create_bloom(BLOOM_BITS_PER_KEY);
	level->reading = leveldb_readoptions_create();
	level->writing = leveldb_writeoptions_create();
	leveldb_options_set_create_if_missing(level->options, options->create);
	leveldb_options_set_paranoid_checks(level->options, 1);
	leveldb_options_set_write_buffer_size(level->options, buffer);
	leveldb_options_set_max_file_size(level->options, TABLE_FILE_BYTES);
	leveldb_options_set_cache(level->options, level->cache);
	leveldb_options_set_filter_policy(level->options, level->bloom);
	leveldb_readoptions_set_verify_checksums(level->reading, 1);
}

static tide_err
level_open(const char *dir, const struct kv_options *options, struct kv **out, struct tide_error *error)
{
	static const struct kv_options none = {0};
	struct level *level;
	tide_err rc;

	if (options == NULL)
		options = &none;
	if ((rc = check_dir(dir, options->create, error)) != TIDE_OK)
		return rc;
	if ((level = calloc(1, sizeof *level)) == NULL || (level->dir = strdup(dir)) == NULL) {
		free(level);
		return tide_fail(error, TIDE_NOMEM, NULL);
	}
	level->base.plugin = &kv_leveldb;
	set_options(level, options);
	if ((rc = open_db(level, error)) != TIDE_OK) {
		level_close(&level->base);
		return rc;
	}
	*out = &level->base;
	return TIDE_OK;
}

/* ---- read ---- */

static tide_err
level_get(struct kv *kv, struct kv_snapshot *snapshot, struct bytes key, struct buf *out)
{
	struct level *level = level_of(kv);
	char *why = NULL, *value;
	tide_err rc;
	size_t n;

	value = leveldb_get(level->db, snapshot != NULL ? snapshot->reading : level->reading,
	    key.n > 0 ? (const char *)key.at : "", key.n, &n, &why);
	if (why != NULL)
		return failed(level, "get", why);
	if (value == NULL)
		return TIDE_NOTFOUND;
	buf_append(out, value, n);
	leveldb_free(value);
	if ((rc = buf_check(out)) != TIDE_OK)
		buf_clear(out);
	return rc;
}

static struct kv_snapshot *
level_snapshot_take(struct kv *kv)
{
	struct kv_snapshot *snapshot = malloc(sizeof *snapshot);

	if (snapshot == NULL)
		return NULL;
	snapshot->snapshot = leveldb_create_snapshot(level_of(kv)->db);
	snapshot->reading = leveldb_readoptions_create();
	leveldb_readoptions_set_verify_checksums(snapshot->reading, 1);
	leveldb_readoptions_set_snapshot(snapshot->reading, snapshot->snapshot);
	return snapshot;
}

static void
level_snapshot_release(struct kv *kv, struct kv_snapshot *snapshot)
{
	leveldb_readoptions_destroy(snapshot->reading);
	leveldb_release_snapshot(level_of(kv)->db, snapshot->snapshot);
	free(snapshot);
}

static leveldb_iterator_t *
cursor_of(const struct kv_iterator *it)
{
	return ((const struct level_iterator *)it)->it;
}

static struct kv_iterator *
level_iterator_new(struct kv *kv, struct kv_snapshot *snapshot)
{
	struct level *level = level_of(kv);
	struct level_iterator *it = malloc(sizeof *it);

	if (it == NULL)
		return NULL;
	it->base.plugin = &kv_leveldb;
	it->it = leveldb_create_iterator(level->db, snapshot != NULL ? snapshot->reading : level->reading);
	return &it->base;
}

static void
level_iterator_free(struct kv_iterator *it)
{
	leveldb_iter_destroy(cursor_of(it));
	free(it);
}

static void
level_iterator_seek(struct kv_iterator *it, struct bytes key)
{
	leveldb_iter_seek(cursor_of(it), key.n > 0 ? (const char *)key.at : "", key.n);
}

static void
level_iterator_seek_last(struct kv_iterator *it)
{
	leveldb_iter_seek_to_last(cursor_of(it));
}

static void
level_iterator_next(struct kv_iterator *it)
{
	leveldb_iter_next(cursor_of(it));
}

static void
level_iterator_prev(struct kv_iterator *it)
{
	leveldb_iter_prev(cursor_of(it));
}

static bool
level_iterator_valid(const struct kv_iterator *it)
{
	return leveldb_iter_valid(cursor_of(it)) != 0;
}

static struct bytes
level_iterator_key(const struct kv_iterator *it)
{
	size_t n;
	const char *at = leveldb_iter_key(cursor_of(it), &n);

	return bytes_of(at, n);
}

static struct bytes
level_iterator_value(const struct kv_iterator *it)
{
	size_t n;
	const char *at = leveldb_iter_value(cursor_of(it), &n);

	return bytes_of(at, n);
}

static tide_err
level_iterator_check(const struct kv_iterator *it)
{
	char *why = NULL;
	tide_err rc;

	leveldb_iter_get_error(cursor_of(it), &why);
	if (why == NULL)
		return TIDE_OK;
	rc = classify(why);
	log_err("KV-FAIL", "doing=iterate why=\"%s\"", why);
	leveldb_free(why);
	return rc;
}

static uint64_t
level_approximate_size(struct kv *kv, struct bytes from, struct bytes to)
{
	const char *start = from.n > 0 ? (const char *)from.at : "",
		   *limit = to.n > 0 ? (const char *)to.at : "";
	uint64_t size = 0;

	leveldb_approximate_sizes(level_of(kv)->db, 1, &start, &from.n, &limit, &to.n, &size);
	return size;
}

/* ---- write ---- */

static struct kv_batch *
level_batch_new(struct kv *kv)
{
	struct level_batch *batch = malloc(sizeof *batch);

	(void)kv;
	if (batch == NULL)
		return NULL;
	batch->base.plugin = &kv_leveldb;
	batch->batch = leveldb_writebatch_create();
	return &batch->base;
}

static leveldb_writebatch_t *
batch_of(struct kv_batch *batch)
{
	return ((struct level_batch *)batch)->batch;
}

static void
level_batch_free(struct kv_batch *batch)
{
	leveldb_writebatch_destroy(batch_of(batch));
	free(batch);
}

static void
level_batch_clear(struct kv_batch *batch)
{
	leveldb_writebatch_clear(batch_of(batch));
}

static void
level_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
	leveldb_writebatch_put(batch_of(batch), key.n > 0 ? (const char *)key.at : "", key.n,
	    value.n > 0 ? (const char *)value.at : "", value.n);
}

static void
level_batch_delete(struct kv_batch *batch, struct bytes key)
{
	leveldb_writebatch_delete(batch_of(batch), key.n > 0 ? (const char *)key.at : "", key.n);
}

static tide_err
level_write(struct kv *kv, struct kv_batch *batch)
{
	struct level *level = level_of(kv);
	char *why = NULL;

	leveldb_write(level->db, level->writing, batch_of(batch), &why);
	return failed(level, "write", why);
}

static tide_err
level_barrier(struct kv *kv)
{
	struct level *level = level_of(kv);
	leveldb_writebatch_t *nothing;
	char *why = NULL;
	tide_err rc;

	leveldb_compact_range(level->db, "", 0, "", 0);
	nothing = leveldb_writebatch_create();
	leveldb_write(level->db, level->writing, nothing, &why);
	leveldb_writebatch_destroy(nothing);
	if ((rc = failed(level, "barrier", why)) != TIDE_OK)
		return rc;
	/* LevelDB syncs the folder before it syncs the manifest; the renamed CURRENT of a fresh open comes after. */
	return sync_dir(level->dir);
}

const struct kv_plugin kv_leveldb = {
    .name = "leveldb",
    .open = level_open,
    .close = level_close,
    .get = level_get,
    .batch_new = level_batch_new,
    .batch_free = level_batch_free,
    .batch_clear = level_batch_clear,
    .batch_put = level_batch_put,
    .batch_delete = level_batch_delete,
    .write = level_write,
    .barrier = level_barrier,
    .snapshot_take = level_snapshot_take,
    .snapshot_release = level_snapshot_release,
    .iterator_new = level_iterator_new,
    .iterator_free = level_iterator_free,
    .iterator_seek = level_iterator_seek,
    .iterator_seek_last = level_iterator_seek_last,
    .iterator_next = level_iterator_next,
    .iterator_prev = level_iterator_prev,
    .iterator_valid = level_iterator_valid,
    .iterator_key = level_iterator_key,
    .iterator_value = level_iterator_value,
    .iterator_check = level_iterator_check,
    .approximate_size = level_approximate_size,
};
