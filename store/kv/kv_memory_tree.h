/*
 * The memory store's tree: a persistent treap. A node never changes once it can be seen; a write copies the path from the
 * root to its place and shares the rest. So a snapshot is a reference to a root, a batch is atomic because only
 * its last root is published, and readers need a lock only to take a root. A node's priority is a hash of its key: the
 * shape depends on the keys alone, and a simulator's run repeats exactly. Private to store/kv.
 */
#ifndef TIDE_STORE_KV_MEMORY_TREE_H
#define TIDE_STORE_KV_MEMORY_TREE_H

#include <stdatomic.h>

#include "base/bytes.h"

/* A key with its value (or, in a batch, a delete of that key): shared by all nodes and batches that hold it. */
struct entry {
	atomic_size_t refs;
	uint64_t priority;
	size_t key_n, value_n;
	bool deletes;
	uint8_t at[]; /* key, then value */
};

struct node {
	atomic_size_t refs;
	struct entry *entry;
	struct node *left, *right;
};

struct entries {
	struct entry **at;
	size_t n, room;
};

static inline struct bytes
entry_key(const struct entry *entry)
{
	return bytes_of(entry->at, entry->key_n);
}

/** NULL: no memory. One reference, the caller's. */
struct entry *entry_new(struct bytes key, struct bytes value, bool deletes);
struct entry *entry_ref(struct entry *entry);
void entry_unref(struct entry *entry);

void entries_clear(struct entries *entries);
void entries_fini(struct entries *entries);

/** Takes over the reference (NULL: a failed entry_new). False: no memory, and the entry is released. */
bool entries_add(struct entries *entries, struct entry *entry);

/** Both take NULL, the empty tree. Any thread. */
struct node *node_ref(struct node *node);
void node_unref(struct node *node);

/** `*out` is the tree after the batch, with a reference for the caller; `root` is as it was. TIDE_NOMEM. */
tide_err tree_apply(struct node *root, const struct entries *batch, struct node **out);

/** The first entry with a key > `key`, or >= with `or_equal`; NULL: none. */
const struct entry *tree_after(const struct node *tree, struct bytes key, bool or_equal);

/** The last entry with a key < `key`; the last of all. NULL: none. */
const struct entry *tree_before(const struct node *tree, struct bytes key);
const struct entry *tree_last(const struct node *tree);

/** Bytes of keys and values in [from, to). */
uint64_t tree_size(const struct node *tree, struct bytes from, struct bytes to);

#endif
