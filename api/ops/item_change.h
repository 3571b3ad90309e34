/*
 * The change of one item, with no request in it: what PutItem, UpdateItem, DeleteItem, transactions and PartiQL have
 * in common. The caller fills in what is wanted on any thread; the committer's thread plans and writes.
 *
 *     item_change_encode     any thread     PUT only: the stored form
 *     item_change_read_ahead any thread     so that the committer finds the item in memory
 *     item_change_plan       committer      reads the item, evaluates the condition, makes the new image
 *     item_change_write      committer      puts it in the group
 *
 * A plan writes nothing: who has several changes plans all of them before the first is written, and who fails
 * between the two has changed nothing. What a plan leaves in `found` to `after` lives as long as the group and the arena.
 */
#ifndef TIDE_API_OPS_ITEM_CHANGE_H
#define TIDE_API_OPS_ITEM_CHANGE_H

#include "api/expr/expr.h"
#include "api/ops/item_key.h"
#include "store/shard/group.h"

enum item_change_kind { ITEM_PUT, ITEM_UPDATE, ITEM_DELETE, ITEM_CHECK };

struct item_change {
	/* --- what is wanted --- */
	enum item_change_kind kind; /* CHECK: only the condition; nothing is written */
	bool wants_before; /* `before` is looked at even where the change itself needs no item */
	bool wants_sizes; /* the same of `size_before` */
	bool must_be_new; /* PUT: an item that is there already is TIDE_DUPLICATE_ITEM */
	bool absent_is_fine; /* with no item there the condition does not count */
	const struct table *table; /* the caller's reference */
	struct item_key key;
	struct value attributes; /* PUT: the item; else the key: what a created item begins with */
	const struct expr_condition *condition; /* NULL: none */
	const struct expr_update *update; /* UPDATE; NULL: only create the item if there is none */
	/* --- carried --- */
	struct read_ahead ahead; /* the item as another thread found it; may be empty */
	struct buf image; /* the new stored form: PUT from the start, UPDATE made by the plan */
	/* --- what the plan found --- */
	bool found; /* there was an item */
	struct bytes before; /* its stored form */
	struct value value;
	const struct value *tree; /* the same as a tree; NULL: no item, or nobody asked */
	const struct value *after; /* PUT, UPDATE: the item after; NULL: there is none */
	size_t size_before,
	    size_after; /* as DynamoDB counts them; before: known only where there is a tree */
};

/** PUT: make `size_after` and `image` from the attributes. TIDE_NOMEM; TIDE_VALIDATION with DynamoDB's sentence: over 400 KB. */
tide_err item_change_measure(struct item_change *change, struct tide_error *error);
tide_err item_change_encode(struct item_change *change, struct tide_error *error);

/** Read the item for the committer, who takes it if nobody has written the item since. Any thread. */
void item_change_read_ahead(struct item_change *change, struct shard *shard);

/**
 * Read the item through the group, evaluate the condition, make the item after. Nothing is written; `arena` holds the
 * trees. On TIDE_CONDITION_FAILED `found` and `before` tell of the item.
 *
 * Errors     TIDE_CONDITION_FAILED, TIDE_VALIDATION with DynamoDB's sentence (the update, its size), TIDE_RESOURCE_NOT_FOUND (the
 *            replica is gone), TIDE_CORRUPT, TIDE_IO, TIDE_NOMEM.
 * Thread     the committer's.
 */
tide_err item_change_plan(
    struct item_change *change, struct group *group, struct arena *arena, struct tide_error *error);

/**
 * Put the planned change in the group. In the same run as its plan, and nothing may have written the item between.
 * Errors     those of group_put, as a client gets them: nothing of this change is in the group.
 */
tide_err item_change_write(struct item_change *change, struct group *group, struct tide_error *error);

/** The planned change as one of several, for group_transact. False: it writes nothing. Borrows from the change. */
bool item_change_as_write(const struct item_change *change, struct group_write *out);

/** Release what it carries, once the group is on disk or was given up. Takes a zeroed one. */
void item_change_fini(struct item_change *change);

#endif
