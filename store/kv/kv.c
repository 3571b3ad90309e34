#include "store/kv/kv.h"

#include <assert.h>

#include "store/kv/kv_plugin.h"

/* A batch of kv_delete_range: small enough that a writer beside it does not wait long. */
#define DELETE_BATCH_KEYS 1000
#define DELETE_BATCH_BYTES (1024 * 1024)

static const struct kv_plugin *const plugins[] = {&kv_leveldb, &kv_memory};

tide_err
kv_open(const char *name, const char *dir, const struct kv_options *options, struct kv **out,
    struct tide_error *error)
{
	for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
		if (strcmp(plugins[i]->name, name) == 0)
			return plugins[i]->open(dir, options, out, error);
	}
	return tide_fail(
	    error, TIDE_USAGE, "no store plug-in is called '%s' (there are: leveldb, memory)", name);
}

void
kv_close(struct kv *kv)
{
	if (kv != NULL)
		kv->plugin->close(kv);
}

tide_err
kv_get(struct kv *kv, struct kv_snapshot *snapshot, struct bytes key, struct buf *out)
{
	buf_clear(out);
	return kv->plugin->get(kv, snapshot, key, out);
}

struct kv_batch *
kv_batch_new(struct kv *kv)
{
	return kv->plugin->batch_new(kv);
}

void
kv_batch_free(struct kv_batch *batch)
{
	if (batch != NULL)
		batch->plugin->batch_free(batch);
}

void
kv_batch_clear(struct kv_batch *batch)
{
	batch->plugin->batch_clear(batch);
}

void
kv_batch_put(struct kv_batch *batch, struct bytes key, struct bytes value)
{
	batch->plugin->batch_put(batch, key, value);
}

void
kv_batch_delete(struct kv_batch *batch, struct bytes key)
{
	batch->plugin->batch_delete(batch, key);
}

tide_err
kv_write(struct kv *kv, struct kv_batch *batch)
{
	assert(batch->plugin == kv->plugin);
	return kv->plugin->write(kv, batch);
}

tide_err
kv_barrier(struct kv *kv)
{
	return kv->plugin->barrier(kv);
}

struct kv_snapshot *
kv_snapshot_take(struct kv *kv)
{
	return kv->plugin->snapshot_take(kv);
}

void
kv_snapshot_release(struct kv *kv, struct kv_snapshot *snapshot)
{
	if (snapshot != NULL)
		kv->plugin->snapshot_release(kv, snapshot);
}

struct kv_iterator *
kv_iterator_new(struct kv *kv, struct kv_snapshot *snapshot)
{
	return kv->plugin->iterator_new(kv, snapshot);
}

void
kv_iterator_free(struct kv_iterator *it)
{
	if (it != NULL)
		it->plugin->iterator_free(it);
}

void
kv_iterator_seek(struct kv_iterator *it, struct bytes key)
{
	it->plugin->iterator_seek(it, key);
}

void
kv_iterator_seek_last(struct kv_iterator *it)
{
	it->plugin->iterator_seek_last(it);
}

void
kv_iterator_next(struct kv_iterator *it)
{
	/* Plug-ins may assume a position: LevelDB's own iterators do. */
	if (it->plugin->iterator_valid(it))
		it->plugin->iterator_next(it);
}

void
kv_iterator_prev(struct kv_iterator *it)
{
	if (it->plugin->iterator_valid(it))
		it->plugin->iterator_prev(it);
}

bool
kv_iterator_valid(const struct kv_iterator *it)
{
	return it->plugin->iterator_valid(it);
}

struct bytes
kv_iterator_key(const struct kv_iterator *it)
{
	return it->plugin->iterator_key(it);
}

struct bytes
kv_iterator_value(const struct kv_iterator *it)
{
	return it->plugin->iterator_value(it);
}

tide_err
kv_iterator_check(const struct kv_iterator *it)
{
	return it->plugin->iterator_check(it);
}

static tide_err
delete_by_batches(struct kv *kv, struct kv_iterator *it, struct kv_batch *batch, struct bytes to)
{
	size_t keys = 0, bytes = 0;
	tide_err rc = TIDE_OK;

	for (; rc == TIDE_OK && kv_iterator_valid(it); kv_iterator_next(it)) {
		struct bytes key = kv_iterator_key(it);

		if (bytes_compare(key, to) >= 0)
			break;
		kv_batch_delete(batch, key);
		bytes += key.n;
		if (++keys < DELETE_BATCH_KEYS && bytes < DELETE_BATCH_BYTES)
			continue;
		rc = kv_write(kv, batch);
		kv_batch_clear(batch);
		keys = bytes = 0;
	}
	if (rc == TIDE_OK)
		rc = kv_iterator_check(it);
	if (rc == TIDE_OK && keys > 0)
		rc = kv_write(kv, batch);
	return rc;
}

tide_err
kv_delete_range(struct kv *kv, struct bytes from, struct bytes to)
{
	struct kv_iterator *it;
	struct kv_batch *batch;
	tide_err rc = TIDE_NOMEM;

	if (kv->plugin->delete_range != NULL)
		return kv->plugin->delete_range(kv, from, to);
	it = kv_iterator_new(kv, NULL);
	batch = kv_batch_new(kv);
	if (it != NULL && batch != NULL) {
		kv_iterator_seek(it, from);
		rc = delete_by_batches(kv, it, batch, to);
	}
	kv_batch_free(batch);
	kv_iterator_free(it);
	return rc;
}

uint64_t
kv_approximate_size(struct kv *kv, struct bytes from, struct bytes to)
{
	return kv->plugin->approximate_size(kv, from, to);
}
