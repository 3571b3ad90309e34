/* An ordered store in memory: a root of kv_memory_tree.h, replaced as a whole by each write. */
#include "store/kv/kv_memory.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "store/kv/kv_memory_tree.h"
#include "store/kv/kv_plugin.h"

/* What outlives an open store; a store without a disk has one of its own. */
struct disk {
	struct disk *next;
	char *name; /* NULL: belongs to one store */
	bool open;
	struct node *root, *synced; /* the latest; that of the last barrier */
	struct entries *batches; /* written since the barrier (named disks only) */
	size_t n_batches, batches_room;
	/* What it is told to fail; `disks_lock` guards it. */
	tide_err fail_next[2]; /* by kv_memory_call */
	bool full;
	struct buf damaged_from, damaged_to; /* an empty `to`: nothing */
};

struct memory {
	struct kv base;
	pthread_mutex_t lock; /* guards what follows, and the disk's root and batches */
	struct disk *disk;
	tide_err failed; /* every later write fails so */
};

struct memory_batch {
	struct kv_batch base;
	struct entries entries;
	bool failed;
};

struct kv_snapshot {
	struct node *root;
};

struct memory_iterator {
	struct kv_iterator base;
	struct node *root;
	const struct entry *at; /* NULL: invalid */
	struct disk *disk;
	bool damaged; /* it skipped a damaged key */
};

static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;
static struct disk *disks;

/* ---- batches ---- */

static struct memory_batch *
batch_of(struct kv_batch *batch)
{
	return (struct memory_batch *)batch;
}

static struct kv_batch *
memory_batch_new(struct kv *kv)
{
	struct memory_batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL)
		return NULL;
	batch->base.plugin = kv->plugin;
	return &batch->base;
}

static void
memory_batch_free(struct kv_batch *batch)
{
	entries_fini(&batch_of(batch)->entries);
	free(batch);
}

static void
memory_batch_clear(struct kv_batch *batch)
{
	entries_clear(&batch_of(batch)->entries);
	batch_of(batch)->failed = false;
}

static void
memory_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
	if (!entries_add(&batch_of(batch)->entries, entry_new(key, value, false)))
		batch_of(batch)->failed = true;
}

static void
memory_batch_delete(struct kv_batch *batch, struct bytes key)
{
	if (!entries_add(&batch_of(batch)->entries, entry_new(key, BYTES_NONE, true)))
		batch_of(batch)->failed = true;
}

/* ---- disks ---- */

static void
disk_forget_batches(struct disk *disk)
{
	for (size_t i = 0; i < disk->n_batches; i++)
		entries_fini(&disk->batches[i]);
	disk->n_batches = 0;
}

static void
disk_free(struct disk *disk)
{
	if (disk == NULL)
		return;
	disk_forget_batches(disk);
	free(disk->batches);
	node_unref(disk->root);
	node_unref(disk->synced);
	buf_fini(&disk->damaged_from);
	buf_fini(&disk->damaged_to);
	free(disk->name);
	free(disk);
}

/* Keep the batch until the next barrier, so that a crash can choose whether it was lost. */
static tide_err
disk_note_batch(struct disk *disk, const struct entries *batch)
{
	struct entries copy = {0};

	if (disk->n_batches == disk->batches_room) {
		size_t room = disk->batches_room == 0 ? 16 : disk->batches_room * 2;
		struct entries *at = realloc(disk->batches, room * sizeof *at);

		if (at == NULL)
			return TIDE_NOMEM;
		disk->batches = at;
		disk->batches_room = room;
	}
	for (size_t i = 0; i < batch->n; i++) {
		if (!entries_add(&copy, entry_ref(batch->at[i]))) {
			entries_fini(&copy);
			return TIDE_NOMEM;
		}
	}
	disk->batches[disk->n_batches++] = copy;
	return TIDE_OK;
}

/* `disks_lock` is held. */
static struct disk **
disk_find(const char *name)
{
	struct disk **at = &disks;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

tide_err
kv_memory_disk_make(const char *dir)
{
	struct disk *disk = calloc(1, sizeof *disk);
	tide_err rc = TIDE_OK;

	if (disk == NULL || (disk->name = strdup(dir)) == NULL) {
		free(disk);
		return TIDE_NOMEM;
	}
	pthread_mutex_lock(&disks_lock);
	if (*disk_find(dir) != NULL) {
		rc = TIDE_FENCED;
	} else {
		disk->next = disks;
		disks = disk;
		disk = NULL;
	}
	pthread_mutex_unlock(&disks_lock);
	disk_free(disk);
	return rc;
}

void
kv_memory_disk_destroy(const char *dir)
{
	struct disk **at, *disk;

	pthread_mutex_lock(&disks_lock);
	at = disk_find(dir);
	if ((disk = *at) != NULL) {
		assert(!disk->open);
		*at = disk->next;
	}
	pthread_mutex_unlock(&disks_lock);
	disk_free(disk);
}

tide_err
kv_memory_disk_crash(const char *dir, bool (*keep)(void *context, size_t index), void *context)
{
	struct node *root, *next;
	struct disk *disk;
	tide_err rc = TIDE_OK;

	pthread_mutex_lock(&disks_lock);
	disk = *disk_find(dir);
	assert(disk != NULL && !disk->open);
	root = node_ref(disk->synced);
	for (size_t i = 0; i < disk->n_batches && rc == TIDE_OK; i++) {
		if (keep == NULL || !keep(context, i))
			continue;
		if ((rc = tree_apply(root, &disk->batches[i], &next)) == TIDE_OK) {
			node_unref(root);
			root = next;
		}
	}
	if (rc == TIDE_OK) {
		/* What came through is on the disk now. */
		node_unref(disk->root);
		node_unref(disk->synced);
		disk->root = root;
		disk->synced = node_ref(root);
		disk_forget_batches(disk);
	} else {
		node_unref(root);
	}
	pthread_mutex_unlock(&disks_lock);
	return rc;
}

/* ---- what a disk fails ---- */

tide_err
kv_memory_disk_fail_next(const char *dir, enum kv_memory_call call, tide_err rc)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL)
		disk->fail_next[call] = rc;
	pthread_mutex_unlock(&disks_lock);
	return disk != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
kv_memory_disk_full(const char *dir, bool full)
{
	struct disk *disk;

	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL)
		disk->full = full;
	pthread_mutex_unlock(&disks_lock);
	return disk != NULL ? TIDE_OK : TIDE_NOTFOUND;
}

tide_err
kv_memory_disk_damage(const char *dir, struct bytes from, struct bytes to)
{
	struct buf low = {0}, high = {0};
	struct disk *disk;
	tide_err rc = TIDE_NOTFOUND;

	buf_append(&low, from.at, from.n);
	buf_append(&high, to.at, to.n);
	pthread_mutex_lock(&disks_lock);
	if ((disk = *disk_find(dir)) != NULL)
		rc = low.failed || high.failed ? TIDE_NOMEM : TIDE_OK;
	if (rc == TIDE_OK) {
		struct buf old_low = disk->damaged_from, old_high = disk->damaged_to;

		disk->damaged_from = low;
		disk->damaged_to = high;
		low = old_low;
		high = old_high;
	}
	pthread_mutex_unlock(&disks_lock);
	buf_fini(&low);
	buf_fini(&high);
	return rc;
}

static bool
is_damaged(struct disk *disk, struct bytes key)
{
	bool damaged;

	pthread_mutex_lock(&disks_lock);
	damaged = disk->damaged_to.n > 0 && bytes_compare(key, buf_bytes(&disk->damaged_from)) >= 0 &&
		  bytes_compare(key, buf_bytes(&disk->damaged_to)) < 0;
	pthread_mutex_unlock(&disks_lock);
	return damaged;
}

/* Is this call to fail? Once one has, all later ones of this opening do. `memory->lock` is held. */
static tide_err
next_failure(struct memory *memory, enum kv_memory_call call)
{
	struct disk *disk = memory->disk;

	pthread_mutex_lock(&disks_lock);
	if (memory->failed == TIDE_OK) {
		memory->failed = disk->full ? TIDE_FULL : disk->fail_next[call];
		if (!disk->full)
			disk->fail_next[call] = TIDE_OK;
	}
	pthread_mutex_unlock(&disks_lock);
	return memory->failed;
}

/* ---- the plug-in ---- */

static struct memory *
memory_of(struct kv *kv)
{
	assert(kv->plugin == &kv_memory);
	return (struct memory *)kv;
}

static struct node *
root_take(struct memory *memory)
{
	struct node *root;

	pthread_mutex_lock(&memory->lock);
	root = node_ref(memory->disk->root);
	pthread_mutex_unlock(&memory->lock);
	return root;
}

static tide_err
memory_attach(struct memory *memory, const char *dir, struct tide_error *error)
{
	struct disk *disk = NULL;
	bool taken, full;

	pthread_mutex_lock(&disks_lock);
	if (dir != NULL)
		disk = *disk_find(dir);
	taken = disk != NULL && disk->open;
	full = disk != NULL && disk->full;
	if (disk != NULL && !full)
		disk->open = true;
	pthread_mutex_unlock(&disks_lock);
	if (taken)
		return tide_fail(error, TIDE_FENCED, "store %s: is open already", dir);
	if (full)
		return tide_fail(error, TIDE_FULL, "store %s: the disk is full", dir);
	if (disk == NULL && (disk = calloc(1, sizeof *disk)) == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	memory->disk = disk;
	return TIDE_OK;
}

static tide_err
memory_open(const char *dir, const struct kv_options *options, struct kv **out, struct tide_error *error)
{
	struct memory *memory = calloc(1, sizeof *memory);
	tide_err rc;

	(void)options;
	if (memory == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	if ((rc = memory_attach(memory, dir, error)) != TIDE_OK) {
		free(memory);
		return rc;
	}
	memory->base.plugin = &kv_memory;
	pthread_mutex_init(&memory->lock, NULL);
	*out = &memory->base;
	return TIDE_OK;
}

static void
memory_close(struct kv *kv)
{
	struct memory *memory = memory_of(kv);

	pthread_mutex_lock(&disks_lock);
	memory->disk->open = false;
	pthread_mutex_unlock(&disks_lock);
	if (memory->disk->name == NULL)
		disk_free(memory->disk);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

static tide_err
memory_get(struct kv *kv, struct kv_snapshot *snapshot, struct bytes key, struct buf *out)
{
	struct node *root = snapshot != NULL ? node_ref(snapshot->root) : root_take(memory_of(kv));
	const struct entry *entry = tree_after(root, key, true);
	tide_err rc = TIDE_NOTFOUND;

	if (is_damaged(memory_of(kv)->disk, key)) {
		rc = TIDE_CORRUPT;
	} else if (entry != NULL && bytes_equal(entry_key(entry), key)) {
		buf_append(out, entry->at + entry->key_n, entry->value_n);
		if ((rc = buf_check(out)) != TIDE_OK)
			buf_clear(out);
	}
	node_unref(root);
	return rc;
}

static tide_err
memory_write(struct kv *kv, struct kv_batch *batch)
{
	struct memory *memory = memory_of(kv);
	struct disk *disk = memory->disk;
	struct node *root, *old = NULL;
	tide_err rc;

	if (batch_of(batch)->failed)
		return TIDE_NOMEM;
	pthread_mutex_lock(&memory->lock);
	if ((rc = next_failure(memory, KV_MEMORY_WRITE)) == TIDE_OK)
		rc = tree_apply(disk->root, &batch_of(batch)->entries, &root);
	if (rc == TIDE_OK && disk->name != NULL &&
	    (rc = disk_note_batch(disk, &batch_of(batch)->entries)) != TIDE_OK)
		node_unref(root);
	if (rc == TIDE_OK) {
		old = disk->root;
		disk->root = root;
	}
	pthread_mutex_unlock(&memory->lock);
	node_unref(old);
	return rc;
}

static tide_err
memory_barrier(struct kv *kv)
{
	struct memory *memory = memory_of(kv);
	struct disk *disk = memory->disk;
	tide_err rc;

	pthread_mutex_lock(&memory->lock);
	rc = next_failure(memory, KV_MEMORY_BARRIER);
	if (rc == TIDE_OK && disk->name != NULL) {
		node_unref(disk->synced);
		disk->synced = node_ref(disk->root);
		disk_forget_batches(disk);
	}
	pthread_mutex_unlock(&memory->lock);
	return rc;
}

static struct kv_snapshot *
memory_snapshot_take(struct kv *kv)
{
	struct kv_snapshot *snapshot = malloc(sizeof *snapshot);

	if (snapshot != NULL)
		snapshot->root = root_take(memory_of(kv));
	return snapshot;
}

static void
memory_snapshot_release(struct kv *kv, struct kv_snapshot *snapshot)
{
	(void)kv;
	node_unref(snapshot->root);
	free(snapshot);
}

static struct memory_iterator *
iterator_of(const struct kv_iterator *it)
{
	return (struct memory_iterator *)it;
}

static struct kv_iterator *
memory_iterator_new(struct kv *kv, struct kv_snapshot *snapshot)
{
	struct memory_iterator *it = malloc(sizeof *it);

	if (it == NULL)
		return NULL;
	it->base.plugin = &kv_memory;
	it->root = snapshot != NULL ? node_ref(snapshot->root) : root_take(memory_of(kv));
	it->at = NULL;
	it->disk = memory_of(kv)->disk;
	it->damaged = false;
	return &it->base;
}

static void
memory_iterator_free(struct kv_iterator *it)
{
	node_unref(iterator_of(it)->root);
	free(it);
}

/* Stand on `entry`, or on the first behind it that can be read: as LevelDB, which skips a damaged block and remembers it. */
static void
step_to(struct kv_iterator *base, const struct entry *entry, bool forward)
{
	struct memory_iterator *it = iterator_of(base);

	while (entry != NULL && is_damaged(it->disk, entry_key(entry))) {
		it->damaged = true;
		entry = forward ? tree_after(it->root, entry_key(entry), false)
				: tree_before(it->root, entry_key(entry));
	}
	it->at = entry;
}

static void
memory_iterator_seek(struct kv_iterator *it, struct bytes key)
{
	step_to(it, tree_after(iterator_of(it)->root, key, true), true);
}

static void
memory_iterator_seek_last(struct kv_iterator *it)
{
	step_to(it, tree_last(iterator_of(it)->root), false);
}

static void
memory_iterator_next(struct kv_iterator *it)
{
	step_to(it, tree_after(iterator_of(it)->root, entry_key(iterator_of(it)->at), false), true);
}

static void
memory_iterator_prev(struct kv_iterator *it)
{
	step_to(it, tree_before(iterator_of(it)->root, entry_key(iterator_of(it)->at)), false);
}

static bool
memory_iterator_valid(const struct kv_iterator *it)
{
	return iterator_of(it)->at != NULL;
}

static struct bytes
memory_iterator_key(const struct kv_iterator *it)
{
	return entry_key(iterator_of(it)->at);
}

static struct bytes
memory_iterator_value(const struct kv_iterator *it)
{
	const struct entry *entry = iterator_of(it)->at;

	return bytes_of(entry->at + entry->key_n, entry->value_n);
}

static tide_err
memory_iterator_check(const struct kv_iterator *it)
{
	return iterator_of(it)->damaged ? TIDE_CORRUPT : TIDE_OK;
}

static uint64_t
memory_approximate_size(struct kv *kv, struct bytes from, struct bytes to)
{
	struct node *root = root_take(memory_of(kv));
	uint64_t size = tree_size(root, from, to);

	node_unref(root);
	return size;
}

const struct kv_plugin kv_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .get = memory_get,
    .batch_new = memory_batch_new,
    .batch_free = memory_batch_free,
    .batch_clear = memory_batch_clear,
    .batch_put = memory_batch_put,
    .batch_delete = memory_batch_delete,
    .write = memory_write,
    .barrier = memory_barrier,
    .snapshot_take = memory_snapshot_take,
    .snapshot_release = memory_snapshot_release,
    .iterator_new = memory_iterator_new,
    .iterator_free = memory_iterator_free,
    .iterator_seek = memory_iterator_seek,
    .iterator_seek_last = memory_iterator_seek_last,
    .iterator_next = memory_iterator_next,
    .iterator_prev = memory_iterator_prev,
    .iterator_valid = memory_iterator_valid,
    .iterator_key = memory_iterator_key,
    .iterator_value = memory_iterator_value,
    .iterator_check = memory_iterator_check,
    .approximate_size = memory_approximate_size,
};
