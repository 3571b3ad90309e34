/* The region's status as one JSON document; its form is in docs/replication.md ("Status"). */
#include <inttypes.h>
#include <stdio.h>

#include "api/endpoint_priv.h"
#include "api/endpoint_view.h"
#include "api/json/json.h"

void
status__links(struct answer *answer)
{
	struct endpoint *endpoint = answer->endpoint;
	tide_err rc;

	/* Kept as it came: it is decoded again for whoever asks. */
	pthread_mutex_lock(&endpoint->lock);
	buf_clear(&endpoint->links);
	buf_append(&endpoint->links, answer->in.at, answer->in.n);
	rc = buf_check(&endpoint->links);
	endpoint->links_at = endpoint__now(endpoint);
	pthread_mutex_unlock(&endpoint->lock);
	if (rc == TIDE_OK)
		answer_done(answer);
	else
		answer_error(answer, rc, 0, NULL);
}

/* --- pieces --- */

static void
put_text(struct buf *out, const char *name, struct bytes text)
{
	buf_append_format(out, "\"%s\":", name);
	json_write_string(out, text);
}

static void
put_journal(struct buf *out, const char *name, struct jid id)
{
	buf_append_format(
	    out, "\"%s\":\"%u.%u.%u\"", name, jid_region(id), jid_incarnation(id), jid_shard(id));
}

static void
put_vector(struct buf *out, const char *name, const struct vector *vector)
{
	bool first = true;

	buf_append_format(out, "\"%s\":[", name);
	for (size_t i = 0; i < vector->n; i++) {
		const struct vector_entry *entry = &vector->entries[i];

		if (entry->mark.seq == 0)
			continue;
		buf_append_string(out, first ? "{" : ",{");
		put_journal(out, "journal", entry->origin);
		buf_append_format(
		    out, ",\"seq\":%" PRIu64 ",\"clock\":%" PRIu64 "}", entry->mark.seq, entry->mark.clock.v);
		first = false;
	}
	buf_append_byte(out, ']');
}

static void
put_table(struct buf *out, struct region *region, const struct table_view *view)
{
	const struct table *table = catalog_find_id(region->catalog, view->id);

	buf_append_format(out, "{\"id\":\"%016" PRIx64 "\",", view->id);
	put_text(out, "name", bytes_of_string(table != NULL ? table->name : ""));
	buf_append_format(out,
	    ",\"state\":\"%s\",\"shared\":%s,\"built_in\":%s,\"items\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"fingerprint\":\"%016" PRIx64 "%016" PRIx64 "\",",
	    endpoint_state_name(view->state), view->shared ? "true" : "false",
	    view->id <= TABLE_BUILT_IN_MAX ? "true" : "false", view->items, view->bytes,
	    (uint64_t)(view->fingerprint >> 64), (uint64_t)view->fingerprint);
	put_vector(out, "vector", &view->vector);
	if (view->state == REPLICA_CATCHUP || view->state == REPLICA_MERGING) {
		buf_append_byte(out, ',');
		put_vector(out, "position", &view->position);
	}
	if (view->rejoin != REJOIN_NONE)
		buf_append_format(out, ",\"rejoin\":\"%s\"", endpoint_rejoin_name(view->rejoin));
	if (view->state == REPLICA_CREATING ||
	    (view->rejoin >= REJOIN_LOADING && view->rejoin <= REJOIN_MERGING))
		buf_append_format(out,
		    ",\"bootstrap\":{\"under_way\":%s,\"source\":\"%s\",\"items_loaded\":%" PRIu64
		    ",\"items_expected\":%" PRIu64 "}",
		    view->boot.under_way ? "true" : "false", endpoint_region_name(region, view->boot.source),
		    view->boot.items_loaded, view->boot.items_expected);
	buf_append_byte(out, '}');
	if (table != NULL)
		table_release(table);
}

static void
put_member(struct buf *out, struct region *region, const struct member_view *member)
{
	buf_append_byte(out, '{');
	put_text(out, "region", bytes_of_string(endpoint_region_name(region, member->region)));
	buf_append_format(out, ",\"number\":%u,\"incarnation\":%u,\"counted\":%s,\"lost\":%s,\"closed\":%u}",
	    member->region, member->incarnation, member->counted ? "true" : "false",
	    member->lost ? "true" : "false", member->closed);
}

static void
put_link(struct buf *out, struct region *region, const struct wire_link *link)
{
	buf_append_byte(out, '{');
	put_text(out, "region", bytes_of_string(endpoint_region_name(region, link->region)));
	buf_append_format(
	    out, ",\"number\":%u,\"connected\":%s,", link->region, link->connected ? "true" : "false");
	put_text(out, "state", link->state);
	buf_append_byte(out, ',');
	put_text(out, "reason", link->reason);
	buf_append_format(out,
	    ",\"round_trip_us\":%" PRIu64 ",\"bytes_per_second\":%" PRIu64 ",\"records_per_second\":%" PRIu64
	    ",\"retries\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"records\":%" PRIu64
	    ",\"limit_bytes_per_second\":%" PRIu64 ",\"postponed\":%" PRIu64,
	    link->round_trip_us, link->bytes_per_second, link->records_per_second, link->retries, link->bytes,
	    link->records, link->limit_bytes_per_second, link->postponed);
}

/* A link's lag is that of the journal that its region writes now. */
static void
put_link_lag(struct buf *out, const struct wire_links *links, uint8_t number)
{
	const struct wire_origin *latest = endpoint_view_latest(links, number);

	if (latest == NULL)
		buf_append_string(out, ",\"behind_records\":null,\"behind_ms\":null}");
	else
		buf_append_format(out, ",\"behind_records\":%" PRIu64 ",\"behind_ms\":%" PRIu64 "}",
		    latest->behind_records, latest->behind_ms);
}

static void
put_origin(struct buf *out, struct region *region, const struct wire_origin *origin)
{
	buf_append_byte(out, '{');
	put_journal(out, "journal", origin->origin);
	buf_append_byte(out, ',');
	put_text(out, "region", bytes_of_string(endpoint_region_name(region, jid_region(origin->origin))));
	buf_append_byte(out, ',');
	put_text(
	    out, "via", bytes_of_string(origin->via == 0 ? "" : endpoint_region_name(region, origin->via)));
	buf_append_byte(out, ',');
	put_text(out, "state", origin->state);
	buf_append_byte(out, ',');
	put_text(out, "reason", origin->reason);
	buf_append_byte(out, ',');
	if (jid_same(origin->held_for, JID_NONE))
		buf_append_string(out, "\"held_for\":null");
	else
		put_journal(out, "held_for", origin->held_for);
	buf_append_format(out,
	    ",\"behind_records\":%" PRIu64 ",\"behind_ms\":%" PRIu64 ",\"applied_seq\":%" PRIu64 "}",
	    origin->behind_records, origin->behind_ms, origin->applied_seq);
}

static void
put_replicator(struct buf *out, struct region *region, const struct endpoint_view *view)
{
	const struct wire_links *links = view->links;

	buf_append_format(
	    out, "\"replicator\":{\"running\":%s,\"age_ms\":", view->replicator_running ? "true" : "false");
	if (links == NULL) {
		buf_append_string(out, "null,\"links\":[],\"origins\":[],\"loadings\":[]}");
		return;
	}
	buf_append_format(out, "%" PRIu64 ",\"links\":[", view->links_age_ms);
	for (uint32_t i = 0; i < links->n_links; i++) {
		buf_append_string(out, i > 0 ? "," : "");
		put_link(out, region, &links->links[i]);
		put_link_lag(out, links, links->links[i].region);
	}
	buf_append_string(out, "],\"origins\":[");
	for (uint32_t i = 0; i < links->n_origins; i++) {
		buf_append_string(out, i > 0 ? "," : "");
		put_origin(out, region, &links->origins[i]);
	}
	buf_append_string(out, "],\"loadings\":[");
	for (uint32_t i = 0; i < links->n_loadings; i++) {
		buf_append_format(
		    out, "%s{\"table\":\"%016" PRIx64 "\",", i > 0 ? "," : "", links->loadings[i].table);
		put_text(
		    out, "source", bytes_of_string(endpoint_region_name(region, links->loadings[i].source)));
		buf_append_byte(out, ',');
		put_text(out, "state", links->loadings[i].state);
		buf_append_byte(out, '}');
	}
	buf_append_string(out, "]}");
}

static void
put_document(struct buf *out, struct region *region, const struct endpoint_view *all)
{
	const struct shard_view *view = &all->shard;
	bool first = true, needed = false, rejoining = false;

	for (size_t i = 0; i < view->n_tables; i++) {
		needed |= view->tables[i].rejoin == REJOIN_NEEDED;
		rejoining |= view->tables[i].rejoin > REJOIN_NEEDED;
	}
	buf_append_byte(out, '{');
	put_text(out, "region", bytes_of_string(region->config.region));
	buf_append_format(out, ",\"number\":%u,", region->config.number);
	put_journal(out, "journal", view->id);
	buf_append_format(out,
	    ",\"nonce\":\"%016" PRIx64 "\",\"may_write\":%s,\"started_ms\":%" PRIu64 ",\"now_ms\":%" PRIu64
	    ",\"last_seq\":%" PRIu64 ",\"clock\":%" PRIu64 ",\"conflicts\":%" PRIu64 ",\"applied\":%" PRIu64
	    ",\"groups\":%" PRIu64 ",\"operations\":%" PRIu64 ",\"bytes\":%" PRIu64
	    ",\"needs_bootstrap\":%s,\"rejoining\":%s,\"tables\":[",
	    view->nonce, all->may_write ? "true" : "false", region->started_ms, all->wall_ms, view->last_seq,
	    view->clock.v, view->conflicts, view->applied, all->committer.groups, all->committer.operations,
	    all->committer.bytes, needed ? "true" : "false", rejoining ? "true" : "false");
	for (size_t i = 0; i < view->n_tables; i++) {
		if (view->tables[i].state == REPLICA_ABSENT)
			continue;
		buf_append_string(out, first ? "" : ",");
		put_table(out, region, &view->tables[i]);
		first = false;
	}
	buf_append_string(out, "],");
	put_vector(out, "position", &view->position);
	status__disk(out, region);
	status__trouble(out, region, view);
	buf_append_string(out, ",\"members\":[");
	for (size_t i = 0; i < view->n_members; i++) {
		buf_append_string(out, i > 0 ? "," : "");
		put_member(out, region, &view->members[i]);
	}
	buf_append_string(out, "],");
	put_replicator(out, region, all);
	buf_append_byte(out, '}');
}

void
status__ask(struct answer *answer)
{
	struct wire_message reply = {.type = WIRE_STATUS};
	struct endpoint_view view;
	struct buf out = {0};
	struct arena arena;
	tide_err rc;

	arena_init(&arena, 0);
	if ((rc = endpoint_view(answer->endpoint, &arena, &view)) == TIDE_OK) {
		put_document(&out, answer->endpoint->region, &view);
		rc = buf_check(&out);
	}
	reply.status.json = buf_bytes(&out);
	if (rc != TIDE_OK)
		answer_error(answer, rc, 0, NULL);
	else
		answer_send(answer, &reply);
	buf_fini(&out);
	arena_fini(&arena);
}
