/*
 * A new incarnation: the folder goes on under another journal id, with nothing of what it took from peers before. The new journal is
 * made first (carry.c). The identity file is the point of no return; what else is left of the former life goes after it, at once or,
 * if the process dies in between, when the folder is opened next:
 *
 *     journal.next/  is the new journal, with the tables that only this region has
 *     identity       names the new journal
 *     journal/       becomes journal.OLDID, which the next start deletes, unless it has writes of ours: then the identity names it
 *                    until salvage.c has been through it
 *     journal.next/  becomes journal/
 *     checkpoint-N   are deleted (a former life's are told by the id in them)
 *     store/         is emptied, as it always is when the journal is replayed from its beginning
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/shard/group_priv.h"

bool
shard__is_former(struct jid former, struct jid id)
{
	return jid_region(former) == jid_region(id) && jid_shard(former) == jid_shard(id) &&
	       jid_incarnation(former) < jid_incarnation(id);
}

/* "journal.00010100" */
static bool
is_retired(const char *name)
{
	return strncmp(name, "journal.", 8) == 0 && strlen(name) == 16 &&
	       strspn(name + 8, "0123456789abcdef") == 8;
}

static void
remove_folder(const char *path)
{
	struct dirent *entry;
	DIR *d = opendir(path);

	while (d != NULL && (entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(d), entry->d_name, 0);
	if (d != NULL)
		closedir(d);
	if (rmdir(path) != 0)
		log_warn("JOURNAL-RETIRED", "path=%s why=\"%s\"", path, strerror(errno));
	journal_removed(path);
}

static bool
is_kept(const struct shard *shard, const char *name)
{
	char path[SHARD_PATH_MAX];
	size_t n;

	for (uint32_t i = 0; i < shard->n_kept; i++) {
		shard__retired_path(shard->dir, shard->kept[i], path);
		n = strlen(path);
		if (n > strlen(name) && strcmp(path + n - strlen(name), name) == 0)
			return true;
	}
	return false;
}

/* How many there are; with a shard those that it does not keep are gone afterwards. */
static unsigned
retired(const char *dir, const struct shard *remove)
{
	char path[SHARD_PATH_MAX];
	struct dirent *entry;
	DIR *d = opendir(dir);
	unsigned n = 0;

	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (!is_retired(entry->d_name))
			continue;
		n++;
		shard__path(dir, entry->d_name, path);
		if (remove != NULL && !is_kept(remove, entry->d_name))
			remove_folder(path);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

void
shard__remove_retired(const struct shard *shard)
{
	char path[SHARD_PATH_MAX];

	retired(shard->dir, shard);
	shard__path(shard->dir, "journal.next", path);
	if (access(path, F_OK) == 0)
		remove_folder(path); /* of a new incarnation that was never taken */
}

void
shard__retired_path(const char *dir, struct jid id, char path[SHARD_PATH_MAX])
{
	snprintf(path, SHARD_PATH_MAX, "%s/journal.%08x", dir, id.v);
}

static tide_err
move_journal(const char *dir, const char *from, const char *to, struct tide_error *error)
{
	if (rename(from, to) != 0)
		return tide_fail(error, TIDE_IO, "cannot rename %s: %s", from, strerror(errno));
	journal_moved(from, to);
	return shard__sync_dir(dir, error);
}

static tide_err
bury(const char *dir, const char *journal, struct jid former, struct tide_error *error)
{
	char old[SHARD_PATH_MAX];

	shard__retired_path(dir, former, old);
	return move_journal(dir, journal, old, error);
}

tide_err
shard__bury_former(const char *dir, struct jid id, struct tide_error *error)
{
	char path[SHARD_PATH_MAX], next[SHARD_PATH_MAX], store[SHARD_PATH_MAX];
	struct tide_error ignored;
	struct jid found;
	tide_err rc;

	shard__path(dir, "journal", path);
	shard__path(dir, "journal.next", next);
	shard__path(dir, "store/CURRENT", store);
	rc = journal_peek_id(path, &found, &ignored);
	if (rc == TIDE_OK && shard__is_former(found, id)) {
		if ((rc = bury(dir, path, found, error)) != TIDE_OK)
			return rc;
		rc = TIDE_NOTFOUND;
	}
	if (rc == TIDE_NOTFOUND && journal_peek_id(next, &found, &ignored) == TIDE_OK &&
	    jid_same(found, id)) {
		rmdir(path); /* an empty folder would be in its way */
		return move_journal(dir, next, path, error);
	}
	/* The journal is made before the store. To go on without it would use its sequence numbers a second time. */
	if (rc == TIDE_NOTFOUND && access(store, F_OK) == 0 && retired(dir, NULL) == 0)
		return tide_fail(error, TIDE_CORRUPT, "%s has a store but no journal", dir);
	return TIDE_OK; /* what is wrong with it otherwise, opening it will say */
}

/* Everything that the folder took from peers goes: it is fetched again under the new name. Called with both locks held. */
static tide_err
start_again(struct shard *shard, const struct identity *identity, const char *next, struct tide_error *error)
{
	struct journal_options options = {.id = identity->id, .segment_bytes = shard->options.segment_bytes};
	struct hlc clock = hlc_max(shard->live.clock, shard->work.clock);
	char path[SHARD_PATH_MAX];
	struct journal *journal;
	struct fold fresh;
	tide_err rc;

	shard__path(shard->dir, "journal", path);
	if ((rc = identity_write(shard->dir, identity, error)) != TIDE_OK ||
	    (rc = bury(shard->dir, path, shard->live.id, error)) != TIDE_OK ||
	    (rc = move_journal(shard->dir, next, path, error)) != TIDE_OK)
		return rc;
	checkpoint_forget_all(shard->dir);
	if ((rc = journal_open(shard->options.journal_plugin, path, &options, &journal, error)) != TIDE_OK)
		return rc;
	shard->retired[shard->n_retired++] = shard->journal;
	shard->journal = journal;
	if ((rc = fold_init(&fresh, identity->id)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	fold_fini(&shard->live);
	shard->live = fresh;
	memset(shard->checkpoint_seqs, 0, sizeof shard->checkpoint_seqs);
	/* Without a checkpoint that empties the store first. */
	if ((rc = shard__recover(shard, error)) != TIDE_OK)
		return rc;
	/* The clock goes on: what was promised before holds. */
	shard->live.clock = hlc_max(shard->live.clock, clock);
	shard->nonce = identity->nonce;
	memcpy(shard->kept, identity->kept, sizeof shard->kept);
	shard->n_kept = identity->n_kept;
	memset(shard->counted, 0, sizeof shard->counted);
	told_list__fini(&shard->told);
	told_list__fini(&shard->heard);
	shard__published(shard, true);
	return fold_copy(&shard->work, &shard->live);
}

/* What the open group has read or heard in the former life. */
static void
forget_in_group(struct group *group, uint64_t next_seq)
{
	memset(group->buckets, 0, group->n_buckets * sizeof *group->buckets);
	group->n_pending = 0;
	group->n_counted = 0;
	group->next_seq = next_seq;
}

static bool
has_written(const struct shard *shard)
{
	for (size_t i = 0; i < shard->work.n_tables; i++)
		if (shard->work.tables[i]->own_last.seq != 0)
			return true;
	return false;
}

static tide_err
take(struct shard *shard, struct identity *identity, struct tide_error *error)
{
	char next[SHARD_PATH_MAX];
	tide_err rc;

	if (shard->group != NULL && shard->group->first != NULL)
		return tide_fail(error, TIDE_USAGE, "the open group is not empty");
	if (jid_incarnation(identity->id) <= jid_incarnation(shard->work.id))
		return tide_fail(
		    error, TIDE_USAGE, "incarnation %u is not a later one", jid_incarnation(identity->id));
	if (shard->n_retired == RETIRED_MAX)
		return tide_fail(error, TIDE_USAGE, "too many new incarnations since the start");
	if ((rc = shard__random(&shard->options, &identity->nonce, error)) != TIDE_OK)
		return rc;
	shard__path(shard->dir, "journal.next", next);
	if (access(next, F_OK) == 0)
		remove_folder(next);
	if ((rc = shard__carry(shard, identity->id, next, error)) != TIDE_OK)
		return rc;
	pthread_mutex_lock(&shard->checkpoint_lock);
	pthread_mutex_lock(&shard->lock);
	if ((rc = start_again(shard, identity, next, error)) != TIDE_OK) {
		shard->torn = true;
		shard__seal(shard, rc, "a new incarnation was begun and not finished: %s", tide_err_text(rc));
	} else if (shard->group != NULL)
		forget_in_group(shard->group, shard->work.last_seq + 1);
	pthread_mutex_unlock(&shard->lock);
	pthread_mutex_unlock(&shard->checkpoint_lock);
	if (rc == TIDE_OK)
		log_warn(
		    "REBORN", "journal=%08x incarnation=%u", identity->id.v, jid_incarnation(identity->id));
	return rc;
}

static struct identity
next_identity(const struct shard *shard, uint16_t incarnation)
{
	struct identity identity = {
	    .id = jid_make(jid_region(shard->work.id), incarnation, jid_shard(shard->work.id)),
	    .n_kept = shard->n_kept};

	memcpy(identity.kept, shard->kept, sizeof identity.kept);
	return identity;
}

tide_err
shard_take_incarnation(struct shard *shard, uint16_t incarnation, struct tide_error *error)
{
	struct identity identity = next_identity(shard, incarnation);

	if (has_written(shard))
		return tide_fail(
		    error, TIDE_USAGE, "this journal has written: it cannot take another incarnation");
	return take(shard, &identity, error);
}

tide_err
shard_reincarnate(struct shard *shard, struct tide_error *error)
{
	struct identity identity = next_identity(shard, (uint16_t)(jid_incarnation(shard->work.id) + 1));

	if (shard->work.fork.reason == FORK_NONE)
		return tide_fail(error, TIDE_USAGE,
		    "this region's journal is sound: a new incarnation would give up its writes for nothing");
	if (identity.n_kept == KEPT_MAX)
		return tide_fail(error, TIDE_USAGE,
		    "%u former journals still wait for their writes to be logged", KEPT_MAX);
	if (has_written(shard))
		identity.kept[identity.n_kept++] = shard->work.id;
	return take(shard, &identity, error);
}
