/*
 * Snapshots for peers that load a table: opened by their first read, found again by their number, closed when nobody has read for
 * some minutes.
 */
#include "api/endpoint_priv.h"
#include "base/log.h"

static struct kept_snapshot *
find(struct endpoint *endpoint, uint64_t id)
{
	for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++)
		if (endpoint->snapshots[i].snapshot != NULL && endpoint->snapshots[i].id == id)
			return &endpoint->snapshots[i];
	return NULL;
}

/* Does this snapshot give way before that one? One that was read to its end does first: nobody needs it, but for a lost answer. */
static bool
goes_first(const struct kept_snapshot *kept, const struct kept_snapshot *other)
{
	if (other == NULL || kept->read_all != other->read_all)
		return other == NULL || kept->read_all;
	return kept->used_at < other->used_at;
}

/* Under the lock: a place for a new one; a snapshot that nobody reads goes when all are taken. */
static struct kept_snapshot *
place(struct endpoint *endpoint, struct snapshot **closed)
{
	struct kept_snapshot *first = NULL;

	for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++) {
		struct kept_snapshot *kept = &endpoint->snapshots[i];

		if (kept->snapshot == NULL)
			return kept;
		if (!kept->busy && goes_first(kept, first))
			first = kept;
	}
	if (first == NULL || (!first->read_all && endpoint__now(endpoint) - first->used_at < SESSION_IDLE_MS))
		return NULL;
	*closed = first->snapshot;
	first->snapshot = NULL;
	return first;
}

static tide_err
open_snapshot(struct endpoint *endpoint, uint64_t table, struct kept_snapshot **out, struct tide_error *error)
{
	struct snapshot *snapshot, *closed = NULL;
	struct kept_snapshot *kept;
	tide_err rc = snapshot_open(endpoint->region->shard, table, &snapshot);

	if (rc != TIDE_OK)
		return tide_fail(error, rc, rc == TIDE_NOTFOUND ? "no readable replica of that table" : NULL);
	pthread_mutex_lock(&endpoint->lock);
	if ((kept = place(endpoint, &closed)) != NULL)
		*kept = (struct kept_snapshot){
		    .id = ++endpoint->last_id, .table = table, .snapshot = snapshot, .busy = true};
	pthread_mutex_unlock(&endpoint->lock);
	snapshot_close(closed);
	if (kept == NULL) {
		snapshot_close(snapshot);
		return tide_fail(error, TIDE_UNAVAILABLE, "too many snapshots are being read");
	}
	log_info("SNAPSHOT-OPEN", "table=%016llx snapshot=%llu items=%llu", (unsigned long long)table,
	    (unsigned long long)kept->id, (unsigned long long)snapshot_info(snapshot)->items);
	*out = kept;
	return TIDE_OK;
}

static tide_err
take(struct endpoint *endpoint, const struct wire_snap_read *ask, struct kept_snapshot **out,
    struct tide_error *error)
{
	struct kept_snapshot *kept;
	tide_err rc = TIDE_OK;

	if (ask->snapshot == 0)
		return open_snapshot(endpoint, ask->table, out, error);
	pthread_mutex_lock(&endpoint->lock);
	kept = find(endpoint, ask->snapshot);
	if (kept == NULL || kept->table != ask->table)
		rc = tide_fail(error, TIDE_NOTFOUND, "that snapshot is gone");
	else if (kept->busy)
		rc = tide_fail(error, TIDE_AGAIN, "that snapshot is being read");
	else
		kept->busy = true;
	pthread_mutex_unlock(&endpoint->lock);
	*out = kept;
	return rc;
}

void
snap__read(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	const struct wire_snap_read *ask = &answer->message.snap_read;
	struct wire_message reply = {.type = WIRE_PIECE};
	struct buf unit = {0}, cursor = {0};
	const struct snapshot_info *info;
	struct kept_snapshot *kept = NULL;
	struct tide_error error;
	uint64_t bytes = ask->bytes_max;
	tide_err rc;

	if ((rc = take(endpoint, ask, &kept, &error)) != TIDE_OK) {
		answer_error(answer, rc, ask->table, error.message);
		return;
	}
	if (bytes < BATCH_BYTES_MIN || bytes > BATCH_BYTES_MAX)
		bytes = bytes < BATCH_BYTES_MIN ? BATCH_BYTES_MIN : BATCH_BYTES_MAX;
	info = snapshot_info(kept->snapshot);
	reply.piece.table = kept->table;
	reply.piece.snapshot = kept->id;
	reply.piece.after = ask->after;
	reply.piece.vector = info->vector;
	reply.piece.position = info->position;
	reply.piece.clock = info->clock;
	reply.piece.items_expected = info->items;
	rc = snapshot_read(kept->snapshot, ask->after, (size_t)bytes, &unit, &cursor, &reply.piece.done);
	reply.piece.unit = buf_bytes(&unit);
	reply.piece.cursor = buf_bytes(&cursor);
	/* Its vectors are read while the answer is written: only then may it be closed by others. */
	if (rc != TIDE_OK)
		answer_error(answer, rc, ask->table, NULL);
	else
		answer_send(answer, &reply);
	pthread_mutex_lock(&endpoint->lock);
	kept->busy = false;
	kept->read_all |= rc == TIDE_OK && reply.piece.done;
	kept->used_at = endpoint__now(endpoint);
	pthread_mutex_unlock(&endpoint->lock);
	buf_fini(&unit);
	buf_fini(&cursor);
}

void
snap__tick(struct endpoint *endpoint, uint64_t now)
{
	for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++) {
		struct kept_snapshot *kept = &endpoint->snapshots[i];
		struct snapshot *closed = NULL;

		pthread_mutex_lock(&endpoint->lock);
		if (kept->snapshot != NULL && !kept->busy && now > kept->used_at + SNAPSHOT_IDLE_MS) {
			closed = kept->snapshot;
			kept->snapshot = NULL;
		}
		pthread_mutex_unlock(&endpoint->lock);
		snapshot_close(closed);
	}
}

uint64_t
snap__wake(struct endpoint *endpoint)
{
	uint64_t wake = UINT64_MAX;

	for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++) {
		const struct kept_snapshot *kept = &endpoint->snapshots[i];

		if (kept->snapshot != NULL && !kept->busy && kept->used_at + SNAPSHOT_IDLE_MS + 1 < wake)
			wake = kept->used_at + SNAPSHOT_IDLE_MS + 1;
	}
	return wake;
}

void
snap__stop(struct endpoint *endpoint)
{
	for (uint32_t i = 0; i < SNAPSHOTS_MAX; i++)
		snapshot_close(endpoint->snapshots[i].snapshot);
}
