#include "store/shard/health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "store/item/key.h"
#include "store/kv/kv_damage.h"
#include "store/shard/shard_priv.h"

const char *
shard_state_name(enum shard_state state)
{
	static const char *const names[] = {"ok", "damaged", "full", "failing", "sealed"};

	return state <= SHARD_SEALED ? names[state] : "?";
}

/* What is not printable as \\xNN; cut with "..." where it does not fit. */
static size_t
put_bytes(struct bytes text, char *out, size_t n, size_t room)
{
	for (size_t i = 0; i < text.n; i++) {
		bool plain =
		    text.at[i] >= ' ' && text.at[i] < 0x7f && text.at[i] != '"' && text.at[i] != '\\';

		if (n + 8 > room)
			return n + (size_t)snprintf(out + n, room - n, "...");
		n += (size_t)snprintf(out + n, room - n, plain ? "%c" : "\\x%02x", text.at[i]);
	}
	return n;
}

static size_t
put_value(const struct value *value, char *out, size_t n, size_t room)
{
	const char *quote = value->type == VALUE_N ? "" : "\"";

	n += (size_t)snprintf(out + n, room - n, "%s", quote);
	n = put_bytes(value->text, out, n, room - 12);
	return n + (size_t)snprintf(out + n, room - n, "%s", quote);
}

void
shard_key_text(struct bytes key, char *out, size_t room)
{
	static const struct {
		enum value_type partition, sort;
		bool has_sort;
	} shapes[] = {{VALUE_S, VALUE_S, false}, {VALUE_N, VALUE_S, false}, {VALUE_S, VALUE_N, true},
	    {VALUE_S, VALUE_S, true}, {VALUE_N, VALUE_N, true}, {VALUE_N, VALUE_S, true}};
	struct value partition, sort = {0};
	struct arena arena;
	size_t n = 0;

	out[0] = 0;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (key_decode(&arena, key, shapes[i].partition, shapes[i].has_sort, shapes[i].sort,
			&partition, &sort) != TIDE_OK)
			continue;
		n = put_value(&partition, out, 0, shapes[i].has_sort ? room / 2 : room);
		if (shapes[i].has_sort) {
			n += (size_t)snprintf(out + n, room - n, "/");
			put_value(&sort, out, n, room);
		}
		arena_fini(&arena);
		return;
	}
	arena_fini(&arena);
	if (key.n > KEY_HASH_BYTES)
		put_bytes(bytes_of(key.at + KEY_HASH_BYTES, key.n - KEY_HASH_BYTES), out, 0, room);
}

void
health__init(struct health *health)
{
	pthread_mutex_init(&health->lock, NULL);
}

void
health__fini(struct health *health)
{
	for (uint32_t i = 0; i < health->known.n_damage; i++) {
		buf_fini(&health->ranges[i].after);
		buf_fini(&health->ranges[i].before);
	}
	pthread_mutex_destroy(&health->lock);
}

void
shard_health(struct shard *shard, struct shard_health *out)
{
	struct health *health = &shard->health;
	uint64_t since;

	pthread_mutex_lock(&health->lock);
	*out = health->known;
	since = health->damaged_ms;
	pthread_mutex_unlock(&health->lock);
	if (out->state == SHARD_OK && (out->ranges > 0 || out->journal_damage > 0)) {
		out->state = SHARD_DAMAGED;
		out->since_ms = since;
		out->code = TIDE_CORRUPT;
		snprintf(out->reason, sizeof out->reason,
		    "%" PRIu64 " ranges of keys and %" PRIu64 " places of the journal cannot be read",
		    out->ranges, out->journal_damage);
	}
}

/* A new state of writing; `lock` is held. What is sealed stays so. True: it is another than before. */
static bool
become(struct shard *shard, enum shard_state state, tide_err code, const char *reason)
{
	struct shard_health *known = &shard->health.known;

	if (known->state == SHARD_SEALED || known->state == state)
		return false;
	known->state = state;
	known->since_ms = shard_wall_ms(shard);
	known->code = code;
	snprintf(known->reason, sizeof known->reason, "%.*s", (int)sizeof known->reason - 1, reason);
	return true;
}

void
shard__seal(struct shard *shard, tide_err code, const char *format, ...)
{
	char reason[sizeof shard->health.known.reason];
	bool fresh;
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	pthread_mutex_lock(&shard->health.lock);
	fresh = become(shard, SHARD_SEALED, code, reason);
	pthread_mutex_unlock(&shard->health.lock);
	atomic_store(&shard->sealed, true);
	if (fresh)
		log_err("SHARD-SEALED", "code=%s why=\"%s\"", tide_err_name(code), reason);
}

void
shard__wrote(struct shard *shard, tide_err rc, const struct tide_error *error)
{
	enum shard_state before;
	bool fresh = false;

	pthread_mutex_lock(&shard->health.lock);
	before = shard->health.known.state;
	if (rc == TIDE_OK)
		fresh = become(shard, SHARD_OK, TIDE_OK, "");
	else if (rc == TIDE_FULL || rc == TIDE_IO)
		fresh = become(shard, rc == TIDE_FULL ? SHARD_FULL : SHARD_FAILING, rc, error->message);
	if (rc != TIDE_OK)
		shard->health.known.writes_refused++;
	pthread_mutex_unlock(&shard->health.lock);
	if (fresh && rc == TIDE_OK)
		log_info("SHARD-WRITES", "was=%s", shard_state_name(before));
	else if (fresh)
		log_err(rc == TIDE_FULL ? "SHARD-FULL" : "SHARD-FAILING", "why=\"%s\"", error->message);
}

void
shard__checkpoint_failed(struct shard *shard)
{
	pthread_mutex_lock(&shard->health.lock);
	shard->health.known.checkpoints_failed++;
	pthread_mutex_unlock(&shard->health.lock);
}

/* ---- damage that reads meet ---- */

/* Is the key in a range that is known already? `lock` is held. */
static bool
is_known(const struct health *health, struct bytes key)
{
	for (uint32_t i = 0; i < health->known.n_damage; i++) {
		const struct damaged *range = &health->ranges[i];

		if (bytes_compare(key, buf_bytes(&range->after)) > 0 &&
		    (range->before.n == 0 || bytes_compare(key, buf_bytes(&range->before)) < 0))
			return true;
	}
	return false;
}

/* A bound as text; empty where it lies outside of the table. */
static void
bound_text(uint64_t table, struct bytes bound, char *out)
{
	out[0] = 0;
	if (bound.n >= SPACE_PREFIX && bound.at[0] == SPACE_ITEMS && bytes_u64(bound.at + 1) == table)
		shard_key_text(space_item_key(bound), out, SHARD_KEY_TEXT_MAX);
}

/* Take over a range, if there is room for it. `lock` is held. */
static void
remember(struct shard *shard, uint64_t table, struct damaged *range)
{
	struct shard_health *known = &shard->health.known;
	struct shard_damage *damage = &known->damage[known->n_damage];

	known->ranges++;
	if (shard->health.damaged_ms == 0)
		shard->health.damaged_ms = shard_wall_ms(shard);
	if (known->n_damage == SHARD_DAMAGE_MAX)
		return;
	damage->table = table;
	damage->found_ms = shard_wall_ms(shard);
	bound_text(table, buf_bytes(&range->after), damage->after);
	bound_text(table, buf_bytes(&range->before), damage->before);
	shard->health.ranges[known->n_damage++] = *range;
	log_err(
	    "STORE-DAMAGED", "table=%016" PRIx64 " after=%s before=%s", table, damage->after, damage->before);
	*range = (struct damaged){0}; /* the list owns it now */
}

void
shard__damaged(struct shard *shard, struct bytes store_key)
{
	struct health *health = &shard->health;
	struct damaged range = {0};
	uint64_t table = store_key.n >= SPACE_PREFIX ? bytes_u64(store_key.at + 1) : 0;
	bool search;

	pthread_mutex_lock(&health->lock);
	health->known.reads_failed++;
	/* One search at a time: what others meet meanwhile, they will meet again. */
	search =
	    !health->searching && health->known.n_damage < SHARD_DAMAGE_MAX && !is_known(health, store_key);
	health->searching |= search;
	pthread_mutex_unlock(&health->lock);
	if (!search)
		return;
	if (kv_damage_around(shard->kv, store_key, &range.after, &range.before) == TIDE_OK) {
		pthread_mutex_lock(&health->lock);
		if (!is_known(health, store_key))
			remember(shard, table, &range);
		pthread_mutex_unlock(&health->lock);
	}
	pthread_mutex_lock(&health->lock);
	health->searching = false;
	pthread_mutex_unlock(&health->lock);
	buf_fini(&range.after);
	buf_fini(&range.before);
}

void
shard__journal_damaged(struct shard *shard, const char *why)
{
	struct shard_health *known = &shard->health.known;
	bool fresh = true;

	pthread_mutex_lock(&shard->health.lock);
	for (uint32_t i = 0; i < known->n_journal; i++)
		fresh &= strncmp(known->journal[i], why, sizeof known->journal[i] - 1) != 0;
	fresh &= known->n_journal < SHARD_JOURNAL_DAMAGE_MAX;
	if (fresh) {
		snprintf(known->journal[known->n_journal], sizeof known->journal[0], "%.*s",
		    (int)sizeof known->journal[0] - 1, why);
		known->n_journal++;
		known->journal_damage++;
		if (shard->health.damaged_ms == 0)
			shard->health.damaged_ms = shard_wall_ms(shard);
	}
	pthread_mutex_unlock(&shard->health.lock);
	if (fresh)
		log_err("JOURNAL-UNREADABLE", "why=\"%s\"", why);
}
