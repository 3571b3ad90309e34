#include "store/kv/kv_memory_tree.h"

#include <stdlib.h>
#include <xxhash.h>

struct entry *
entry_new(struct bytes key, struct bytes value, bool deletes)
{
	struct entry *entry = malloc(sizeof *entry + key.n + value.n);

	if (entry == NULL)
		return NULL;
	atomic_init(&entry->refs, 1);
	entry->priority = XXH3_64bits(key.at, key.n);
	entry->key_n = key.n;
	entry->value_n = value.n;
	entry->deletes = deletes;
	if (key.n > 0)
		memcpy(entry->at, key.at, key.n);
	if (value.n > 0)
		memcpy(entry->at + key.n, value.at, value.n);
	return entry;
}

struct entry *
entry_ref(struct entry *entry)
{
	atomic_fetch_add_explicit(&entry->refs, 1, memory_order_relaxed);
	return entry;
}

void
entry_unref(struct entry *entry)
{
	if (atomic_fetch_sub_explicit(&entry->refs, 1, memory_order_acq_rel) == 1)
		free(entry);
}

struct node *
node_ref(struct node *node)
{
	if (node != NULL)
		atomic_fetch_add_explicit(&node->refs, 1, memory_order_relaxed);
	return node;
}

void
node_unref(struct node *node)
{
	if (node == NULL || atomic_fetch_sub_explicit(&node->refs, 1, memory_order_acq_rel) != 1)
		return;
	node_unref(node->left);
	node_unref(node->right);
	entry_unref(node->entry);
	free(node);
}

/* Takes over the references to the children, also when it fails; sets `*failed` and gives NULL without memory. */
static struct node *
node_new(struct entry *entry, struct node *left, struct node *right, bool *failed)
{
	struct node *node = *failed ? NULL : malloc(sizeof *node);

	if (node == NULL) {
		*failed = true;
		node_unref(left);
		node_unref(right);
		return NULL;
	}
	atomic_init(&node->refs, 1);
	node->entry = entry_ref(entry);
	node->left = left;
	node->right = right;
	return node;
}

/* A tree like `t` with the entry in it; the caller gets a reference. */
static struct node *
tree_put(struct node *t, struct entry *entry, bool *failed)
{
	struct node *child, *down;
	int order;

	if (t == NULL)
		return node_new(entry, NULL, NULL, failed);
	order = bytes_compare(entry_key(entry), entry_key(t->entry));
	if (order == 0)
		return node_new(entry, node_ref(t->left), node_ref(t->right), failed);
	child = tree_put(order < 0 ? t->left : t->right, entry, failed);
	if (child == NULL)
		return NULL;
	if (child->entry->priority <= t->entry->priority)
		return order < 0 ? node_new(t->entry, child, node_ref(t->right), failed)
				 : node_new(t->entry, node_ref(t->left), child, failed);
	/* The child goes above: a rotation, on copies. */
	if (order < 0) {
		down = node_new(t->entry, node_ref(child->right), node_ref(t->right), failed);
		t = node_new(child->entry, node_ref(child->left), down, failed);
	} else {
		down = node_new(t->entry, node_ref(t->left), node_ref(child->left), failed);
		t = node_new(child->entry, down, node_ref(child->right), failed);
	}
	node_unref(child);
	return t;
}

/* All of `a` before all of `b`. */
static struct node *
tree_join(struct node *a, struct node *b, bool *failed)
{
	if (a == NULL || b == NULL)
		return node_ref(a == NULL ? b : a);
	if (a->entry->priority > b->entry->priority)
		return node_new(a->entry, node_ref(a->left), tree_join(a->right, b, failed), failed);
	return node_new(b->entry, tree_join(a, b->left, failed), node_ref(b->right), failed);
}

static struct node *
tree_delete(struct node *t, struct bytes key, bool *failed)
{
	int order;

	if (t == NULL)
		return NULL;
	order = bytes_compare(key, entry_key(t->entry));
	if (order == 0)
		return tree_join(t->left, t->right, failed);
	if (order < 0)
		return node_new(t->entry, tree_delete(t->left, key, failed), node_ref(t->right), failed);
	return node_new(t->entry, node_ref(t->left), tree_delete(t->right, key, failed), failed);
}

tide_err
tree_apply(struct node *root, const struct entries *batch, struct node **out)
{
	bool failed = false;

	root = node_ref(root);
	for (size_t i = 0; i < batch->n && !failed; i++) {
		struct entry *entry = batch->at[i];
		struct node *next;

		next = entry->deletes ? tree_delete(root, entry_key(entry), &failed)
				      : tree_put(root, entry, &failed);
		node_unref(root);
		root = next;
	}
	if (failed) {
		node_unref(root);
		return TIDE_NOMEM;
	}
	*out = root;
	return TIDE_OK;
}

const struct entry *
tree_after(const struct node *t, struct bytes key, bool or_equal)
{
	const struct entry *best = NULL;

	while (t != NULL) {
		int order = bytes_compare(entry_key(t->entry), key);

		if (order > 0 || (order == 0 && or_equal)) {
			best = t->entry;
			t = t->left;
		} else {
			t = t->right;
		}
	}
	return best;
}

const struct entry *
tree_before(const struct node *t, struct bytes key)
{
	const struct entry *best = NULL;

	while (t != NULL) {
		if (bytes_compare(entry_key(t->entry), key) < 0) {
			best = t->entry;
			t = t->right;
		} else {
			t = t->left;
		}
	}
	return best;
}

const struct entry *
tree_last(const struct node *t)
{
	while (t != NULL && t->right != NULL)
		t = t->right;
	return t == NULL ? NULL : t->entry;
}

uint64_t
tree_size(const struct node *t, struct bytes from, struct bytes to)
{
	uint64_t size = 0;

	for (; t != NULL; t = t->right) {
		bool low = bytes_compare(entry_key(t->entry), from) < 0,
		     high = bytes_compare(entry_key(t->entry), to) >= 0;

		if (!low)
			size += tree_size(t->left, from, to);
		if (high)
			return size;
		if (!low)
			size += t->entry->key_n + t->entry->value_n;
	}
	return size;
}

void
entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->n; i++)
		entry_unref(entries->at[i]);
	entries->n = 0;
}

void
entries_fini(struct entries *entries)
{
	entries_clear(entries);
	free(entries->at);
}

bool
entries_add(struct entries *entries, struct entry *entry)
{
	if (entry == NULL)
		return false;
	if (entries->n == entries->room) {
		size_t room = entries->room == 0 ? 16 : entries->room * 2;
		struct entry **at = realloc(entries->at, room * sizeof(struct entry *));

		if (at == NULL) {
			entry_unref(entry);
			return false;
		}
		entries->at = at;
		entries->room = room;
	}
	entries->at[entries->n++] = entry;
	return true;
}
