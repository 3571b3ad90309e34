/* Operations of clients, on the committer of a region as its HTTP front would put them there. */
#include <stdio.h>
#include <stdlib.h>

#include "api/membership.h"
#include "chaos/sim/world.h"
#include "store/item/key.h"
#include "store/shard/shard_priv.h"

struct client_op {
	struct commit_op op; /* first */
	struct world *world;
	uint8_t region;
	/* a write */
	uint64_t table;
	uint8_t key;
	enum client_kind kind;
	uint64_t expires_s;
	uint32_t write; /* in the ledger; 0: none */
	/* another operation */
	const char *what;
	tide_err (*run)(
	    struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error);
	void *arg;
};

void
client_key(uint8_t key, struct buf *out)
{
	char text[8];
	struct value partition = {.type = VALUE_S};

	snprintf(text, sizeof text, "k%u", key);
	partition.text = bytes_of_string(text);
	key_encode(&partition, NULL, out);
}

void
client_image(uint8_t key, uint32_t write, struct buf *out)
{
	client_image_until(key, write, 0, out);
}

void
client_image_until(uint8_t key, uint32_t write, uint64_t expires_s, struct buf *out)
{
	static const char *const kinds[] = {NULL, "red", "green", "blue"};
	const char *kind = kinds[write / 2 % 4]; /* an index may be by it */
	char until[24], name[8], number[16];
	struct member members[4] = {
	    {BYTES_LITERAL("expires"), {.type = VALUE_N}},
	    {BYTES_LITERAL("id"), {.type = VALUE_S}},
	    {BYTES_LITERAL("kind"), {.type = VALUE_S}},
	    {BYTES_LITERAL("write"), {.type = VALUE_N}},
	};
	struct value item = {.type = VALUE_M};

	snprintf(name, sizeof name, "k%u", key);
	snprintf(number, sizeof number, "%u", write);
	snprintf(until, sizeof until, "%llu", (unsigned long long)expires_s);
	members[0].value.text = bytes_of_string(until);
	members[1].value.text = bytes_of_string(name);
	members[3].value.text = bytes_of_string(number);
	if (kind != NULL)
		members[2].value.text = bytes_of_string(kind);
	else
		members[2] = members[3];
	item.map.at = expires_s != 0 ? members : members + 1;
	item.map.n = (expires_s != 0 ? 3 : 2) + (kind != NULL);
	value_encode(&item, out);
}

/* --- a write --- */

/* What the group shows under a key is what the ledger says for its vectors. */
static void
check_read(struct client_op *client, struct group *group, tide_err found, const struct stored *stored)
{
	const struct table_fold *table = fold_table(&group_shard(group)->work, client->table);
	struct write *winner =
	    ledger_winner(&client->world->ledger, client->table, client->key, &table->vector);
	bool live = winner != NULL && !winner->tombstone;

	if (group_shard(group)->sealed)
		return; /* its fold is ahead of what is true; nothing of it gets out */
	if ((found == TIDE_OK) != live || (live && version_compare(stored->version, winner->version) != 0))
		world_fail(client->world, "read",
		    "r%u reads key %u of table %llx: %s of clock %llx from %08x, it must be #%u",
		    client->region, client->key, (unsigned long long)client->table,
		    found == TIDE_OK ? "an item" : "nothing", (unsigned long long)stored->version.clock.v,
		    stored->version.origin.v, winner == NULL ? 0 : winner->id);
}

static tide_err
write_item(
    struct client_op *client, struct group *group, struct bytes key, bool present, struct tide_error *error)
{
	struct buf image = {0};
	tide_err rc;

	if (client->kind == CLIENT_PUT_NEW ? present : client->kind == CLIENT_UPDATE && !present)
		return tide_fail(error, TIDE_CONDITION_FAILED, NULL);
	if (client->kind == CLIENT_DELETE)
		return group_delete(group, client->table, key, false);
	client_image_until(client->key, client->world->ledger.n + 1, client->expires_s, &image);
	if ((rc = buf_check(&image)) == TIDE_OK)
		rc = group_put(group, client->table, key, buf_bytes(&image), client->key == 0);
	buf_fini(&image);
	return rc;
}

struct write *
client_enter(struct world *world, uint8_t region, struct group *group, uint64_t table, uint8_t key)
{
	return client_enter_part(world, region, group, table, key, 0);
}

struct write *
client_enter_part(
    struct world *world, uint8_t region, struct group *group, uint64_t table, uint8_t key, uint32_t txn)
{
	const struct write *before;
	struct stored stored;
	struct write *write;
	struct buf name = {0};
	tide_err rc;

	client_key(key, &name);
	rc = group_get(group, table, buf_bytes(&name), &stored);
	buf_fini(&name);
	if (rc != TIDE_OK && rc != TIDE_NOTFOUND)
		return NULL;
	write = ledger_add(&world->ledger, &group_shard(group)->work, region, table, key, stored.seq,
	    stored.version, stored.tombstone);
	if (write == NULL) {
		world_fail(world, "memory", "no memory for the ledger");
		return NULL;
	}
	write->txn = txn;
	/* Its version is above those of all that it saw, of whatever item. Parts of one transaction share theirs. */
	for (uint32_t i = 1; i < write->id; i++) {
		before = ledger_write(&world->ledger, i);
		if (write_counts(before) && (txn == 0 || before->txn != txn) &&
		    write_saw(write, before->table, before->version.origin) >= before->seq &&
		    version_compare(before->version, write->version) >= 0)
			world_fail(world, "greater", "#%u of r%u saw #%u, whose version is not less",
			    write->id, region, before->id);
	}
	return write;
}

static void
enter(struct client_op *client, struct group *group)
{
	struct write *write = client_enter(client->world, client->region, group, client->table, client->key);

	if (write == NULL)
		return;
	client->write = write->id;
	write->expires_s = write->tombstone ? 0 : client->expires_s;
}

static tide_err
write_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct client_op *client = (struct client_op *)op;
	struct region *api = world_api(client->world, client->region);
	const struct table_fold *table = fold_table(&group_shard(group)->work, client->table);
	struct stored stored;
	struct buf key = {0};
	bool nothing;
	tide_err rc;

	if (api == NULL) /* it is being stopped */
		return tide_fail(error, TIDE_CLOSED, NULL);
	if (!region_may_write(api))
		return tide_fail(error, TIDE_UNAVAILABLE, NULL);
	if (table == NULL || table->state != REPLICA_ACTIVE)
		return tide_fail(error, TIDE_RESOURCE_NOT_FOUND, NULL);
	client_key(client->key, &key);
	rc = group_get(group, client->table, buf_bytes(&key), &stored);
	if (rc == TIDE_OK || rc == TIDE_NOTFOUND) {
		check_read(client, group, rc, &stored);
		nothing = client->kind == CLIENT_DELETE && rc == TIDE_NOTFOUND;
		rc = write_item(client, group, buf_bytes(&key), rc == TIDE_OK, error);
		if (rc == TIDE_OK && !nothing)
			enter(client, group);
	}
	buf_fini(&key);
	return rc == TIDE_OK ? TIDE_OK : error->code == rc ? rc : tide_fail(error, rc, NULL);
}

/* A failed append may have left it on the disk, for peers to read already, or not. */
enum write_fate
client_fate(struct world *world, uint8_t region, const struct write *write, tide_err rc)
{
	struct region *api = world_api(world, region);

	if (rc == TIDE_OK)
		return WRITE_KEPT;
	if (rc != TIDE_UNKNOWN)
		return WRITE_VOID;
	return api != NULL && ledger_in_journal(shard_journal(api->shard), write) ? WRITE_FOUND
										  : WRITE_UNKNOWN;
}

static void
write_done(struct commit_op *op, const struct tide_error *error)
{
	struct client_op *client = (struct client_op *)op;
	struct world *world = client->world;
	struct write *write = client->write == 0 ? NULL : ledger_write(&world->ledger, client->write);

	if (write == NULL) {
		world->counters.refused += error->code != TIDE_OK;
		world_tell(world, "r%u: write of key %u of table %llx: %s", client->region, client->key,
		    (unsigned long long)client->table,
		    error->code == TIDE_OK ? "nothing to delete" : tide_err_name(error->code));
	} else {
		write->fate = client_fate(world, client->region, write, error->code);
		world->counters.writes += error->code == TIDE_OK;
		world->counters.deletes += error->code == TIDE_OK && write->tombstone;
		world_tell(world,
		    "r%u: #%u %s key %u of table %llx: %08x/%llu, clock %llx, over #%u, expires %lld: %s",
		    client->region, write->id, write->tombstone ? "deletes" : "puts", client->key,
		    (unsigned long long)client->table, write->version.origin.v,
		    (unsigned long long)write->seq, (unsigned long long)write->version.clock.v, write->before,
		    write->expires_s == 0 ? 0 : (long long)(write->expires_s - WORLD_EPOCH_MS / 1000),
		    tide_err_name(error->code));
	}
	free(client);
}

void
client_write(
    struct world *world, uint8_t region, const struct world_table *table, uint8_t key, enum client_kind kind)
{
	client_write_until(world, region, table, key, kind, world->plan.ttl ? expiry_draw(world) : 0);
}

void
client_write_until(struct world *world, uint8_t region, const struct world_table *table, uint8_t key,
    enum client_kind kind, uint64_t expires_s)
{
	struct region *api = world_api(world, region);
	struct client_op *client;

	if (api == NULL || table == NULL || !region_may_write(api))
		return;
	if ((client = calloc(1, sizeof *client)) == NULL) {
		world_fail(world, "memory", "no memory for a client");
		return;
	}
	client->op.run = write_run;
	client->op.done = write_done;
	client->world = world;
	client->region = region;
	client->table = table->id;
	client->key = key;
	client->kind = kind;
	client->expires_s = expires_s;
	world->regions[region].ready = true;
	if (committer_submit(api->committer, &client->op) != TIDE_OK)
		free(client);
}

/* --- anything else --- */

static tide_err
other_run(struct commit_op *op, struct group *group, struct tide_error *error)
{
	struct client_op *client = (struct client_op *)op;

	if (world_api(client->world, client->region) == NULL)
		return tide_fail(error, TIDE_CLOSED, NULL);
	return client->run(client->world, client->region, group, client->arg, error);
}

static void
other_done(struct commit_op *op, const struct tide_error *error)
{
	struct client_op *client = (struct client_op *)op;

	world_tell(client->world, "r%u: %s: %s", client->region, client->what,
	    error->code == TIDE_OK || error->message[0] == 0 ? tide_err_name(error->code) : error->message);
	if (error->code == TIDE_OK && world_api(client->world, client->region) != NULL)
		membership_poke(world_api(client->world, client->region));
	free(client->arg);
	free(client);
}

bool
client_submit(struct world *world, uint8_t region, const char *what,
    tide_err (*run)(
	struct world *world, uint8_t region, struct group *group, void *arg, struct tide_error *error),
    void *arg)
{
	struct region *api = world_api(world, region);
	struct client_op *client = api == NULL ? NULL : calloc(1, sizeof *client);

	if (client == NULL) {
		free(arg);
		return false;
	}
	client->op.run = other_run;
	client->op.done = other_done;
	client->world = world;
	client->region = region;
	client->what = what;
	client->run = run;
	client->arg = arg;
	world->regions[region].ready = true;
	if (committer_submit(api->committer, &client->op) == TIDE_OK)
		return true;
	free(client->arg);
	free(client);
	return false;
}
