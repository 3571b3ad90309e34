/*
 * What a plug-in implements: one struct of functions, each with the contract of its kv_ namesake in kv.h.
 * A plug-in's own types begin with the base struct below, so that kv.c can forward without knowing them.
 */
#ifndef TIDE_STORE_KV_PLUGIN_H
#define TIDE_STORE_KV_PLUGIN_H

#include "store/kv/kv.h"

struct kv_plugin {
	const char *name;
	tide_err (*open)(const char *dir, const struct kv_options *, struct kv **, struct tide_error *);
	void (*close)(struct kv *);
	tide_err (*get)(struct kv *, struct kv_snapshot *, struct bytes key, struct buf *out);
	struct kv_batch *(*batch_new)(struct kv *);
	void (*batch_free)(struct kv_batch *);
	void (*batch_clear)(struct kv_batch *);
	void (*batch_put)(struct kv_batch *, struct bytes key, struct bytes value);
	void (*batch_delete)(struct kv_batch *, struct bytes key);
	tide_err (*write)(struct kv *, struct kv_batch *);
	tide_err (*barrier)(struct kv *);
	struct kv_snapshot *(*snapshot_take)(struct kv *);
	void (*snapshot_release)(struct kv *, struct kv_snapshot *);
	struct kv_iterator *(*iterator_new)(struct kv *, struct kv_snapshot *);
	void (*iterator_free)(struct kv_iterator *);
	void (*iterator_seek)(struct kv_iterator *, struct bytes key);
	void (*iterator_seek_last)(struct kv_iterator *);
	void (*iterator_next)(struct kv_iterator *);
	void (*iterator_prev)(struct kv_iterator *);
	bool (*iterator_valid)(const struct kv_iterator *);
	struct bytes (*iterator_key)(const struct kv_iterator *);
	struct bytes (*iterator_value)(const struct kv_iterator *);
	tide_err (*iterator_check)(const struct kv_iterator *);
	tide_err (*delete_range)(
	    struct kv *, struct bytes from, struct bytes to); /* NULL: kv.c's own, by batches */
	uint64_t (*approximate_size)(struct kv *, struct bytes from, struct bytes to);
};

struct kv {
	const struct kv_plugin *plugin;
};
struct kv_batch {
	const struct kv_plugin *plugin;
};
struct kv_iterator {
	const struct kv_plugin *plugin;
};

extern const struct kv_plugin kv_leveldb, kv_memory;

#endif
