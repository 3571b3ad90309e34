#include "api/ops/transact_write.h"

#include <assert.h>

#include "api/ops/item_collection.h"

struct transact_write *
transact_write_new(struct request *request, uint32_t n)
{
	struct transact_write *transact = arena_calloc(&request->arena, sizeof *transact);

	if (transact == NULL)
		return NULL;
	transact->request = request;
	transact->actions = arena_calloc(&request->arena, (n + 1) * sizeof *transact->actions);
	transact->used = arena_calloc(&request->arena, (n + 1) * sizeof *transact->used);
	if (transact->actions == NULL || transact->used == NULL)
		return NULL;
	transact->n = n;
	return transact;
}

/* --- the client token --- */

static const struct bytes digest_name = {(const uint8_t *)"Parameters", 10};

tide_err
transact_write_token(
    struct transact_write *transact, const char *operation, struct bytes token, struct bytes parameters)
{
	struct member members[] = {
	    {BYTES_LITERAL("Operation"), {.type = VALUE_S, .text = bytes_of_string(operation)}},
	    {digest_name, {.type = VALUE_B, .text = parameters}},
	    {BYTES_LITERAL("Token"), {.type = VALUE_S, .text = token}},
	};
	struct value item = {.type = VALUE_M, .map = {members, 3}};
	struct arena *arena = &transact->request->arena;
	struct buf key = {0}, image = {0};
	tide_err rc;

	key_encode(&members[2].value, &members[0].value, &key);
	value_encode(&item, &image);
	if ((rc = buf_check(&key)) == TIDE_OK && (rc = buf_check(&image)) == TIDE_OK) {
		transact->token.key.bytes = arena_copy(arena, buf_bytes(&key));
		transact->token.image = arena_copy(arena, buf_bytes(&image));
		if (transact->token.key.bytes.at == NULL || transact->token.image.at == NULL)
			rc = TIDE_NOMEM;
		else
			transact->token.key.hash = bytes_u64(transact->token.key.bytes.at);
	}
	buf_fini(&key);
	buf_fini(&image);
	return rc;
}

/* TIDE_NOTFOUND: this is the first call with its token. */
static tide_err
find_token(struct transact_write *transact, struct group *group, struct tide_error *error)
{
	const struct item_key *key = &transact->token.key;
	struct stored stored;
	tide_err rc;

	if (key->bytes.n == 0)
		return TIDE_NOTFOUND;
	rc = group_take_ahead(group, TABLE_TOKENS, key->bytes, &transact->token.ahead);
	if (rc == TIDE_OK && (rc = group_token(group, key->bytes, &stored)) == TIDE_NOTFOUND)
		return rc;
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	if (!bytes_equal(stored.image, transact->token.image))
		return tide_fail(error, TIDE_IDEMPOTENT_MISMATCH, NULL);
	return TIDE_OK;
}

/* A repeated call costs what reading its items does. */
static tide_err
use_reads(struct transact_write *transact, struct group *group)
{
	struct arena *arena = &transact->request->arena;

	for (uint32_t i = 0; i < transact->n_used; i++) {
		struct capacity *use = &transact->used[i];
		const struct table *table = use->table;

		capacity_begin(use, table, METER_READ, transact->report);
		use->transaction = true;
	}
	for (uint32_t i = 0; i < transact->n; i++) {
		struct transact_action *action = &transact->actions[i];
		struct item_change *change = &action->change;
		struct capacity *use = &transact->used[action->used];
		struct stored stored;
		struct value item;
		size_t size = 0;
		tide_err rc;

		if (!use->counted)
			continue;
		rc = group_get(group, change->table->id, change->key.bytes, &stored);
		if (rc == TIDE_OK && (rc = value_decode(arena, stored.image, &item)) == TIDE_OK)
			size = item_size(&item);
		if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
			return rc;
		capacity_add(use, capacity_read(size, true));
	}
	for (uint32_t i = 0; i < transact->n_used; i++)
		capacity_take(transact->request->region, &transact->used[i]);
	return TIDE_OK;
}

/* --- on the committer's thread --- */

/* What a transaction would have cost is taken where its conditions stop it, too. */
static tide_err
cancel(struct transact_write *transact, struct tide_error *error)
{
	const struct transact_action *actions = transact->actions;

	for (uint32_t i = 0; i < transact->n; i++) {
		const struct item_change *change = &actions[i].change;

		capacity_add(&transact->used[actions[i].used],
		    capacity_write(change->size_before, change->size_after));
	}
	for (uint32_t i = 0; i < transact->n_used; i++)
		capacity_take(transact->request->region, &transact->used[i]);
	return transact_cancel(&actions->reason, sizeof *actions, transact->n, &transact->members, error);
}

static bool
is_reason(tide_err rc)
{
	return rc == TIDE_CONDITION_FAILED || rc == TIDE_VALIDATION || rc == TIDE_DUPLICATE_ITEM ||
	       rc == TIDE_ITEM_COLLECTION_SIZE;
}

/* Plan each change. Conditions that fail are told, all of them up to the first change that cannot be made. */
static tide_err
plan(struct transact_write *transact, struct group *group, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	bool failed = false;
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < transact->n && rc != TIDE_VALIDATION; i++) {
		struct transact_action *action = &transact->actions[i];

		if ((rc = item_change_plan(&action->change, group, arena, error)) == TIDE_OK)
			continue;
		if (!is_reason(rc) || transact_is_upfront(error))
			return rc;
		failed = true;
		if (transact_reason_set(&action->reason, arena, error) != TIDE_OK)
			return tide_fail(error, TIDE_NOMEM, NULL);
		if (rc == TIDE_CONDITION_FAILED && action->old_on_failure && action->change.found)
			action->reason.item = action->change.before;
	}
	return failed ? cancel(transact, error) : TIDE_OK;
}

/* The actions on a table that has nothing left are the reason. */
static tide_err
refuse_for(struct transact_write *transact, uint32_t used, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;

	if (error->code != TIDE_THROUGHPUT_EXCEEDED && error->code != TIDE_THROTTLED)
		return error->code;
	for (uint32_t i = 0; i < transact->n; i++)
		if (transact->actions[i].used == used &&
		    transact_reason_set(&transact->actions[i].reason, arena, error) != TIDE_OK)
			return tide_fail(error, TIDE_NOMEM, NULL);
	return transact_cancel(
	    &transact->actions->reason, sizeof *transact->actions, transact->n, &transact->members, error);
}

static tide_err
use_writes(struct transact_write *transact, struct tide_error *error)
{
	struct arena *arena = &transact->request->arena;
	tide_err rc = TIDE_OK;

	for (uint32_t i = 0; i < transact->n && rc == TIDE_OK; i++) {
		const struct item_change *change = &transact->actions[i].change;
		struct capacity *use = &transact->used[transact->actions[i].used];

		if (!use->counted)
			continue;
		if (change->kind == ITEM_CHECK)
			capacity_add(use, capacity_write(change->size_before, 0));
		else
			rc = capacity_add_write(use, arena, change->tree, change->after);
	}
	if (rc != TIDE_OK)
		return tide_fail(error, rc, NULL);
	for (uint32_t i = 0; i < transact->n_used; i++)
		if (transact->used[i].counted &&
		    capacity_admit_write(transact->request, &transact->used[i], error) != TIDE_OK)
			return refuse_for(transact, i, error);
	for (uint32_t i = 0; i < transact->n_used; i++)
		capacity_take(transact->request->region, &transact->used[i]);
	return TIDE_OK;
}

static tide_err
write_all(struct transact_write *transact, struct group *group, struct tide_error *error)
{
	struct group_write aside = {
	    .table = TABLE_TOKENS, .key = transact->token.key.bytes, .image = transact->token.image};
	struct group_write *writes =
	    arena_alloc(&transact->request->arena, (transact->n + 1) * sizeof *writes);
	uint32_t n = 0;
	tide_err rc;

	if (writes == NULL)
		return tide_fail(error, TIDE_NOMEM, NULL);
	for (uint32_t i = 0; i < transact->n; i++)
		n += item_change_as_write(&transact->actions[i].change, &writes[n]);
	rc = group_transact(group, writes, n, aside.key.n != 0 ? &aside : NULL);
	if (rc == TIDE_NOTFOUND)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
}

static tide_err
run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct transact_write *transact = (struct transact_write *)op;
	tide_err rc = find_token(transact, group, error);

	if (rc == TIDE_OK) {
		transact->repeated = true;
		rc = use_reads(transact, group);
		return rc == TIDE_OK ? TIDE_OK : tide_fail(error, rc, NULL);
	}
	if (rc != TIDE_NOTFOUND)
		return rc;
	if ((rc = plan(transact, group, error)) != TIDE_OK || (rc = use_writes(transact, error)) != TIDE_OK)
		return rc;
	return write_all(transact, group, error);
}

/* --- the answer --- */

/* The collections of the writes, by table, where a table tells of any. */
static void
write_metrics(struct transact_write *transact, struct buf *reply)
{
	struct region *region = transact->request->region;
	bool any = false, open;

	for (uint32_t t = 0; t < transact->n_used; t++) {
		const struct table *table = transact->used[t].table;

		open = false;
		for (uint32_t i = 0; item_collection_is_told(table) && i < transact->n; i++) {
			const struct item_change *change = &transact->actions[i].change;

			if (transact->actions[i].used != t || change->kind == ITEM_CHECK)
				continue;
			if (!any)
				buf_append_format(reply, "%s\"ItemCollectionMetrics\":{",
				    reply->n > 0 && reply->at[reply->n - 1] != '{' ? "," : "");
			if (!open) {
				buf_append_string(reply, any ? "," : "");
				json_write_string(reply, bytes_of_string(table->name));
				buf_append_byte(reply, ':');
			}
			buf_append_byte(reply, open ? ',' : '[');
			any = open = true;
			item_collection_write(reply, region_shard_of(region, change->key.hash), table,
			    change->key.bytes, &change->attributes);
		}
		if (open)
			buf_append_byte(reply, ']');
	}
	if (any)
		buf_append_byte(reply, '}');
}

static void
write_reply(struct transact_write *transact, struct buf *reply)
{
	buf_append_byte(reply, '{');
	if (transact->report != CAPACITY_NONE) {
		buf_append_string(reply, "\"ConsumedCapacity\":[");
		for (uint32_t i = 0; i < transact->n_used; i++) {
			buf_append_string(reply, i == 0 ? "" : ",");
			capacity_report_json(reply, &transact->used[i]);
		}
		buf_append_byte(reply, ']');
	}
	if (transact->metrics)
		write_metrics(transact, reply);
	buf_append_byte(reply, '}');
}

static void
release(struct transact_write *transact)
{
	for (uint32_t i = 0; i < transact->n; i++) {
		struct item_change *change = &transact->actions[i].change;

		item_change_fini(change);
		table_release(change->table);
	}
	read_ahead_fini(&transact->token.ahead);
}

static void
done(struct commit_op *op, const struct tide_error *error)
{
	struct transact_write *transact = (struct transact_write *)op;
	struct request *request = transact->request;
	struct buf members = transact->members;

	if (error->code != TIDE_OK) {
		transact_write_drop(request, transact, error);
		return;
	}
	if (transact->answer != NULL)
		transact->answer(transact, &request->reply);
	else
		write_reply(transact, &request->reply);
	release(transact);
	/* It is on disk: a reply that does not fit in memory is no failure that says nothing happened. */
	if (buf_check(&request->reply) != TIDE_OK)
		ops_fail(request, TIDE_NOMEM, NULL);
	else
		request_ok(request);
	buf_fini(&members);
}

void
transact_write_drop(struct request *request, struct transact_write *transact, const struct tide_error *error)
{
	struct buf members = {0};

	if (transact != NULL) {
		if (error->code == TIDE_TRANSACTION_CANCELED)
			members = transact->members;
		else
			buf_fini(&transact->members);
		release(transact);
	}
	buf_clear(&request->reply);
	request_fail(request, error, (const char *)members.at);
	buf_fini(&members);
}

void
transact_write_cancel(struct transact_write *transact)
{
	struct tide_error error;

	transact_cancel(
	    &transact->actions->reason, sizeof *transact->actions, transact->n, &transact->members, &error);
	transact_write_drop(transact->request, transact, &error);
}

/* --- */

/* The capacity of the action's table; made where it is the first of that table. */
static uint32_t
used_of(struct transact_write *transact, const struct table *table)
{
	struct capacity *use;

	for (uint32_t i = 0; i < transact->n_used; i++)
		if (transact->used[i].table->id == table->id)
			return i;
	use = &transact->used[transact->n_used];
	capacity_begin(use, table, METER_WRITE, transact->report);
	use->transaction = true;
	return transact->n_used++;
}

static tide_err
begin(struct transact_write *transact, struct tide_error *error)
{
	struct request *request = transact->request;

	for (uint32_t i = 0; i < transact->n; i++) {
		struct transact_action *action = &transact->actions[i];
		struct item_change *change = &action->change;

		assert(change->table != NULL && change->key.bytes.n != 0);
		action->used = used_of(transact, change->table);
		change->wants_sizes = transact->used[action->used].counted;
	}
	for (uint32_t i = 0; i < transact->n_used; i++)
		if (capacity_admit(request, &transact->used[i], NULL, error) != TIDE_OK)
			return refuse_for(transact, i, error);
	return TIDE_OK;
}

void
transact_write_submit(struct transact_write *transact)
{
	struct region *region = transact->request->region;
	uint64_t hash = transact->actions[0].change.key.hash;
	struct tide_error error;
	tide_err rc;

	transact->op.run = run;
	transact->op.done = done;
	if (begin(transact, &error) != TIDE_OK) {
		transact_write_drop(transact->request, transact, &error);
		return;
	}
	for (uint32_t i = 0; i < transact->n; i++)
		item_change_read_ahead(&transact->actions[i].change,
		    region_shard_of(region, transact->actions[i].change.key.hash));
	if (transact->token.key.bytes.n != 0)
		shard_read_ahead(region_shard_of(region, hash), TABLE_TOKENS, transact->token.key.bytes,
		    &transact->token.ahead);
	if ((rc = committer_submit(region_committer_of(region, hash), &transact->op)) != TIDE_OK) {
		tide_fail(&error, rc, NULL);
		transact_write_drop(transact->request, transact, &error);
	}
}
