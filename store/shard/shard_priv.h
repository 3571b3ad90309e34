/* The shard's inside: shared by the files of this folder only. */
#ifndef TIDE_STORE_SHARD_PRIV_H
#define TIDE_STORE_SHARD_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/shard/fold.h"
#include "store/shard/group.h"
#include "store/shard/health.h"
#include "store/shard/stored.h"

#define OBSERVERS_MAX 8
#define LAST_WRITTEN_SLOTS 65536
#define RETIRED_MAX 4
#define KEPT_MAX 8
#define TRIM_LEAST 1024 /* sequences, by default: trimming for less is not worth its notes */

/* What a region last told about its replicas. Volatile. */
struct told {
	struct jid origin;
	struct hlc promise;
	struct told_table *tables; /* vectors owned */
	uint32_t n;
	uint16_t dead[REGION_NUMBER_MAX +
		      1]; /* by region: its journals up to this incarnation are dead, it knew */
	uint64_t lives[REGION_NUMBER_MAX + 1]; /* and the nonce of the next one; 0: it is lost */
};

struct told_list {
	struct told *at; /* one per journal */
	uint32_t n;
};

/* What is known of the disk. `lock` is taken last, and never held while waiting for the disk. */
struct health {
	pthread_mutex_t lock;
	struct shard_health known;
	struct damaged {
		struct buf after, before;
	} ranges[SHARD_DAMAGE_MAX]; /* of known.damage, as store keys */
	bool searching; /* somebody is looking for a range's bounds */
	uint64_t damaged_ms; /* when the first damage was found */
};

struct wall_peer {
	bool heard;
	uint64_t heard_at; /* monotonic */
	uint64_t ahead_ms; /* its clock is ahead of ours by at least this much */
	uint64_t we_ahead_ms; /* ours of its, it told */
};

/* Our own clock and its witnesses: wall.c. `lock` is taken last. */
struct wall {
	pthread_mutex_t lock;
	bool begun, jumped;
	uint64_t base_real, base_mono; /* where real time is followed from */
	uint64_t jumped_at;
	struct clock_view now; /* as it was last said */
	struct wall_peer peers[REGION_NUMBER_MAX + 1];
};

struct shard {
	struct shard_options options;
	char *dir;
	uint64_t nonce;
	struct jid kept[KEPT_MAX]; /* as in the identity; under the lock */
	uint32_t n_kept;
	struct journal *journal;
	struct kv *kv;

	/* Guards `live` together with the store's content: whoever holds it sees both at one sequence. */
	pthread_mutex_t lock;
	struct fold live;
	bool counted[REGION_NUMBER_MAX + 1];
	uint8_t peers[REGION_NUMBER_MAX]; /* the cluster's other regions by configuration; constant */
	unsigned n_peers;
	struct wall wall;
	uint64_t applied;
	bool torn; /* store or `live` may hold half of a group: no checkpoint of that */
	uint64_t bytes_at_checkpoint;
	_Atomic uint64_t published; /* groups made visible since open: what reads ahead are dated by */
	uint64_t checkpoint_seqs[2]; /* the newest two on disk */
	pthread_mutex_t checkpoint_lock; /* one checkpoint at a time */
	struct health health;
	bool rebuilt; /* the store was set aside at this opening and is made again */
	atomic_bool
	    sealed; /* the store may lag behind the journal, or the end of one of them is unknown: open again */

	/* The committer's own. */
	uint64_t last_written
	    [LAST_WRITTEN_SLOTS]; /* by key hash: last publication that changed a key of that slot */
	uint64_t changed_whole; /* last publication at which whole tables went */
	struct fold work;
	struct group *group;
	struct told_list told; /* when we had its whole journal */
	struct told_list heard; /* whenever it came */
	struct {
		shard_observe_fn fn;
		void *arg;
	} observers[OBSERVERS_MAX];
	unsigned n_observers;
	bool (*describe)(void *arg, uint64_t table, struct shard_naming *out);
	const char *(*region_name)(void *arg, uint8_t number);
	void *naming_arg;
	struct journal *retired[RETIRED_MAX]; /* of earlier incarnations, still open for readers */
	unsigned n_retired;
};

/* --- identity.c --- */

struct identity {
	struct jid id;
	uint64_t nonce;
	struct jid kept[KEPT_MAX]; /* former journals that hold writes of ours: salvage.c */
	uint32_t n_kept;
};
tide_err identity_read(const char *dir, struct identity *out, struct tide_error *error);
/** 64 random bits for a new identity. In shard.c. TIDE_IO. */
tide_err shard__random(const struct shard_options *options, uint64_t *out, struct tide_error *error);
tide_err identity_write(const char *dir, const struct identity *identity, struct tide_error *error);
/** A path below the shard's folder in a static-size buffer. */
#define SHARD_PATH_MAX 4200
void shard__path(const char *dir, const char *name, char path[SHARD_PATH_MAX]);
/** The folder's entries are on disk when this returns. */
tide_err shard__sync_dir(const char *dir, struct tide_error *error);
/** The folder is there, and on disk if it was made. In shard.c. */
tide_err shard__make_dir(const char *path, struct tide_error *error);
/** Write a small file so that it is there whole or not at all, on disk when this returns. */
tide_err shard__write_file(const char *dir, const char *name, struct bytes content, struct tide_error *error);
/** Read a whole small file. TIDE_NOTFOUND. */
tide_err shard__read_file(const char *dir, const char *name, struct buf *out, struct tide_error *error);

/* --- checkpoint.c --- */

/**
 * The newest checkpoint of journal `id` that reads well. Damaged ones are set aside, those of former incarnations deleted.
 * Errors     TIDE_NOTFOUND: none. TIDE_CORRUPT: there are only damaged ones. TIDE_FENCED: one of another journal. TIDE_IO, ...
 */
tide_err checkpoint_read(const char *dir, struct jid id, struct fold *out, struct tide_error *error);
void checkpoint_forget_all(const char *dir);
/** Tell of each checkpoint that cannot be read; none is touched. */
void checkpoint_each_damaged(const char *dir, void (*tell)(void *arg, const char *why), void *arg);
bool checkpoint_exists(const char *dir); /* any, readable or not */

/* --- reborn.c --- */

/** An earlier incarnation of the same journal? */
bool shard__is_former(struct jid former, struct jid id);

/** Move a former incarnation's journal away, if it is still in the journal's place. TIDE_CORRUPT: the journal is missing. */
tide_err shard__bury_former(const char *dir, struct jid id, struct tide_error *error);

/** Delete the journals of former incarnations, but those that the shard keeps. */
void shard__remove_retired(const struct shard *shard);

/** The folder of a former journal: "journal.00010100". */
void shard__retired_path(const char *dir, struct jid id, char path[SHARD_PATH_MAX]);

/* --- carry.c --- */

/**
 * Make the journal of a new incarnation in `path`: it holds the tables that no other region has a part in, as they are now. On disk when
 * this returns. The committer's thread.
 */
tide_err shard__carry(struct shard *shard, struct jid id, const char *path, struct tide_error *error);

/* --- health.c --- */

void health__init(struct health *health);
void health__fini(struct health *health);

/** Take no write any more until the shard is opened again. The first reason stays. Any thread. */
void shard__seal(struct shard *shard, tide_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** A group was written (TIDE_OK) or refused. Committer thread. */
void shard__wrote(struct shard *shard, tide_err rc, const struct tide_error *error);
void shard__checkpoint_failed(struct shard *shard);

/** A read at this store key met damage, or a walk just before it: find out how far it goes, and name it. Any thread. */
void shard__damaged(struct shard *shard, struct bytes store_key);

/** The journal cannot be read somewhere: `why` names it. Each place counts once. Any thread. */
void shard__journal_damaged(struct shard *shard, const char *why);

/* --- rebuild.c --- */

/** Open the store; set it aside first where that is ordered, or it is missing, or cannot be opened, and the journal can make it again. */
tide_err shard__open_store(struct shard *shard, struct tide_error *error);

/** The same when it was opened and is found not to hold what it must. Opening only. */
tide_err shard__rebuild_now(struct shard *shard, const char *reason, struct tide_error *error);

/** Order it for the next opening, if the journal, read from end to end, is whole. TIDE_CORRUPT: it is not. */
tide_err shard__rebuild_whole(struct shard *shard, struct tide_error *error);

/** The store is complete: what was set aside may go. */
void shard__rebuilt(struct shard *shard);

/* --- recover.c --- */

/** Bring store and fold from the last checkpoint to the journal's end. */
tide_err shard__recover(struct shard *shard, struct tide_error *error);

/** Delete everything that the store holds of a table, or of all. */
tide_err shard__clear_table(struct kv *kv, uint64_t table);
tide_err shard__clear_store(struct kv *kv);

/* --- read.c --- */

/** shard_scan_open over a snapshot of the store; NULL: as it is now. */
tide_err shard__scan_open(struct shard *shard, struct kv_snapshot *snapshot,
    const struct shard_scan_range *range, struct shard_scan **out);

/* --- close.c --- */

/** Is that region another member, not declared lost? `*journal`: the one that it writes now; JID_NONE: it was never heard of. */
bool shard__waited_for(const struct shard *shard, uint8_t region, struct jid *journal);

/**
 * Is that journal dead, and has every other member said, knowing it, that it has no more of it in that table than we? Committer thread.
 */
bool shard__nobody_has_more(const struct shard *shard, struct jid origin, uint64_t table);

/** Is every journal that is known to be dead closed here? */
bool shard__all_closed(const struct shard *shard);

/* --- wall.c --- */

void wall__init(struct wall *wall);
void wall__fini(struct wall *wall);

/** How far that region's clock is ahead of ours at least, as it was heard of late; 0: nothing is known. Any thread. */
uint64_t wall__ahead(struct shard *shard, uint8_t region);

/* --- told.c --- */

/** What that journal's region told when we had the whole journal; heard: at any moment, with the deaths that it knew. NULL: nothing yet. */
const struct told *shard__told(const struct shard *shard, struct jid origin);
const struct told *shard__heard(const struct shard *shard, struct jid origin);
void told_list__fini(struct told_list *list);

/** Replace what `list` has of the journals in `fresh`; what is left in `fresh` is to be released. */
void told_list__take(struct told_list *list, struct told_list *fresh);

/** Can no other region send something older than this version of that table's item any more? Committer thread. */
bool shard__tombstone_may_go(const struct shard *shard, uint64_t table, struct version version);

#endif
