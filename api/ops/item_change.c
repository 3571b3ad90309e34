#include "api/ops/item_change.h"

#include "api/ops/index_key.h"
#include "api/ops/item_collection.h"
#include "api/ops/ops.h"

tide_err
item_change_measure(struct item_change *change, struct tide_error *error)
{
	change->size_after = item_size(&change->attributes);
	if (change->size_after > ITEM_BYTES_MAX)
		return tide_fail(error, TIDE_VALIDATION, "Item size has exceeded the maximum allowed size");
	return TIDE_OK;
}

tide_err
item_change_encode(struct item_change *change, struct tide_error *error)
{
	/* room for what the stored form adds to most items, so that it is encoded without growing */
	if (buf_reserve(&change->image, change->size_after + change->size_after / 8 + 64) != NULL)
		value_encode(&change->attributes, &change->image);
	return buf_check(&change->image) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

void
item_change_read_ahead(struct item_change *change, struct shard *shard)
{
	shard_read_ahead(shard, change->table->id, change->key.bytes, &change->ahead);
}

static bool
wants_tree(const struct item_change *change)
{
	return change->condition != NULL || change->kind == ITEM_UPDATE || change->wants_sizes;
}

static tide_err
read_before(struct item_change *change, struct group *group, struct arena *arena, struct tide_error *error)
{
	struct stored stored;
	tide_err rc;

	if (!wants_tree(change) && !change->wants_before && !change->must_be_new)
		return TIDE_OK;
	rc = group_get(group, change->table->id, change->key.bytes, &stored);
	if (rc == TIDE_NOTFOUND)
		return TIDE_OK;
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	change->found = true;
	change->before = stored.image;
	if (!wants_tree(change))
		return TIDE_OK;
	if ((rc = value_decode(arena, stored.image, &change->value)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	change->tree = &change->value;
	if (change->wants_sizes)
		change->size_before = item_size(change->tree);
	return TIDE_OK;
}

/* The item after an update; `after` NULL: there is none, and nothing is written. */
static tide_err
apply_update(struct item_change *change, struct arena *arena, struct tide_error *error)
{
	tide_err rc;

	if (change->update == NULL) {
		change->after = change->found ? change->tree : &change->attributes;
	} else {
		rc = expr_update_apply(
		    change->update, arena, change->tree, &change->attributes, &change->after, error);
		if (rc != TIDE_OK)
			return rc;
	}
	if (change->after == NULL)
		return TIDE_OK;
	rc = index_key_check_update(change->table, change->tree, change->after, error);
	if (rc != TIDE_OK)
		return rc;
	change->size_after = item_size(change->after);
	if (change->size_after > ITEM_BYTES_MAX)
		return tide_fail(
		    error, TIDE_VALIDATION, "Item size to update has exceeded the maximum allowed size");
	value_encode(change->after, &change->image);
	return buf_check(&change->image) == TIDE_OK ? TIDE_OK : tide_fail(error, TIDE_NOMEM, NULL);
}

tide_err
item_change_plan(
    struct item_change *change, struct group *group, struct arena *arena, struct tide_error *error)
{
	const struct table *table = change->table;
	tide_err rc;

	if ((rc = ops_write_check(group, table, error)) != TIDE_OK)
		return rc;
	if ((rc = group_take_ahead(group, table->id, change->key.bytes, &change->ahead)) != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if ((rc = read_before(change, group, arena, error)) != TIDE_OK)
		return rc;
	rc = index_key_check_paths(table, change->condition, NULL, change->update, error);
	if (rc != TIDE_OK)
		return rc;
	if (change->must_be_new && change->found)
		return tide_fail(error, TIDE_DUPLICATE_ITEM, NULL);
	if (change->condition != NULL && !(change->absent_is_fine && !change->found) &&
	    !expr_condition_eval(change->condition, change->tree))
		return tide_fail(error, TIDE_CONDITION_FAILED, NULL);
	if (change->kind == ITEM_UPDATE && (rc = apply_update(change, arena, error)) != TIDE_OK)
		return rc;
	if (change->kind == ITEM_PUT)
		change->after = &change->attributes;
	if (change->after == NULL || change->size_after < change->size_before)
		return TIDE_OK; /* it does not grow */
	return item_collection_check(group_shard(group), table, change->key.bytes, error);
}

tide_err
item_change_write(struct item_change *change, struct group *group, struct tide_error *error)
{
	const struct table *table = change->table;
	tide_err rc = TIDE_OK;

	if (change->kind == ITEM_DELETE)
		rc = group_delete(group, table->id, change->key.bytes, table_keeps_before(table));
	else if (change->kind != ITEM_CHECK && change->after != NULL)
		rc = group_put(group, table->id, change->key.bytes, buf_bytes(&change->image),
		    table_keeps_before(table));
	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

bool
item_change_as_write(const struct item_change *change, struct group_write *out)
{
	bool deletes = change->kind == ITEM_DELETE;

	*out = (struct group_write){.table = change->table->id,
	    .key = change->key.bytes,
	    .image = deletes ? BYTES_NONE : buf_bytes(&change->image),
	    .tombstone = deletes,
	    .keep_before = table_keeps_before(change->table)};
	return deletes || (change->kind != ITEM_CHECK && change->after != NULL);
}

void
item_change_fini(struct item_change *change)
{
	buf_fini(&change->image);
	read_ahead_fini(&change->ahead);
}
