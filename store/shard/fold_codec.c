/*
 * The fold in a checkpoint:
 *
 *     [format, id, last_seq, clock, own_clock, position, conflicts, [table...], [member...],
 *      [region, closed through, ...], [fork reason, peer, seq]]
 *     table   [id, state, shared, items, bytes, fingerprint high, low, vector, position, floor, own seq, own clock, last_seq, boot or nil,
 *             rejoin, -- only where it has indexes:  [index...]]
 *     index   [definition, state, cursor, items, bytes, looked at]
 *     boot    [source, snapshot, cursor, loaded, expected, vector, position]
 *     member  [region, incarnation, nonce, lost]
 */
#include "base/pack.h"
#include "store/shard/fold.h"
#include "store/shard/pack_vector.h"

#define FOLD_FORMAT 2 /* 1 where no table has an index: who does not know of them must not go on from here */
#define FOLD_FIELDS 11
#define FORK_FIELDS 3
#define TABLE_FIELDS 15
#define BOOT_FIELDS 7
#define MEMBER_FIELDS 4

#include <stdlib.h>

static void
encode_boot(const struct boot *boot, struct buf *out)
{
	if (!boot->under_way) {
		pack_nil(out);
		return;
	}
	pack_array(out, BOOT_FIELDS);
	pack_uint(out, boot->source);
	pack_uint(out, boot->snapshot);
	pack_bin(out, buf_bytes(&boot->cursor));
	pack_uint(out, boot->loaded);
	pack_uint(out, boot->expected);
	pack_vector(out, &boot->vector);
	pack_vector(out, &boot->position);
}

static void
encode_table(const struct table_fold *table, struct buf *out)
{
	pack_array(out, TABLE_FIELDS + (table->n_indexes > 0 ? 1 : 0));
	pack_uint(out, table->id);
	pack_uint(out, table->state);
	pack_bool(out, table->shared);
	pack_uint(out, table->items);
	pack_uint(out, table->bytes);
	pack_uint(out, (uint64_t)(table->fingerprint >> 64));
	pack_uint(out, (uint64_t)table->fingerprint);
	pack_vector(out, &table->vector);
	pack_vector(out, &table->position);
	pack_vector(out, &table->floor);
	pack_uint(out, table->own_last.seq);
	pack_uint(out, table->own_last.clock.v);
	pack_uint(out, table->last_seq);
	encode_boot(&table->boot, out);
	pack_uint(out, table->rejoin);
	if (table->n_indexes > 0)
		fold__indexes_encode(table, out);
}

static unsigned
format_of(const struct fold *fold)
{
	for (size_t i = 0; i < fold->n_tables; i++)
		if (fold->tables[i]->n_indexes > 0)
			return FOLD_FORMAT;
	return FOLD_FORMAT - 1;
}

static void
encode_closed(const struct fold *fold, struct buf *out)
{
	uint32_t n = 0;

	for (unsigned r = 0; r <= REGION_NUMBER_MAX; r++)
		n += fold->closed[r] != 0;
	pack_array(out, n * 2);
	for (unsigned r = 0; r <= REGION_NUMBER_MAX; r++) {
		if (fold->closed[r] == 0)
			continue;
		pack_uint(out, r);
		pack_uint(out, fold->closed[r]);
	}
}

static void
encode_fork(const struct fork *fork, struct buf *out)
{
	pack_array(out, FORK_FIELDS);
	pack_uint(out, fork->reason);
	pack_uint(out, fork->peer);
	pack_uint(out, fork->seq);
}

tide_err
fold_encode(const struct fold *fold, struct buf *out)
{
	pack_array(out, FOLD_FIELDS);
	pack_uint(out, format_of(fold));
	pack_uint(out, fold->id.v);
	pack_uint(out, fold->last_seq);
	pack_uint(out, fold->clock.v);
	pack_uint(out, fold->own_clock.v);
	pack_vector(out, &fold->position);
	pack_uint(out, fold->conflicts);
	pack_array(out, (uint32_t)fold->n_tables);
	for (size_t i = 0; i < fold->n_tables; i++)
		encode_table(fold->tables[i], out);
	pack_array(out, (uint32_t)fold->n_members);
	for (size_t i = 0; i < fold->n_members; i++) {
		pack_array(out, MEMBER_FIELDS);
		pack_uint(out, fold->members[i].region);
		pack_uint(out, fold->members[i].incarnation);
		pack_uint(out, fold->members[i].nonce);
		pack_bool(out, fold->members[i].lost);
	}
	encode_closed(fold, out);
	encode_fork(&fold->fork, out);
	return buf_check(out);
}

static void
decode_boot(struct unpack *in, struct boot *boot)
{
	struct bytes cursor;
	uint32_t more;

	if (unpack_nil(in))
		return;
	more = unpack_open(in, BOOT_FIELDS, BOOT_FIELDS, NULL);
	boot->under_way = true;
	boot->source = (uint8_t)unpack_uint_max(in, UINT8_MAX);
	boot->snapshot = unpack_uint(in);
	cursor = unpack_bin(in);
	buf_append(&boot->cursor, cursor.at, cursor.n);
	boot->loaded = unpack_uint(in);
	boot->expected = unpack_uint(in);
	unpack_vector(in, NULL, &boot->vector);
	unpack_vector(in, NULL, &boot->position);
	unpack_skips(in, more);
	if (boot->cursor.failed)
		in->rc = TIDE_NOMEM;
}

static void
decode_table(struct unpack *in, struct fold *fold)
{
	uint32_t present, more = unpack_open(in, TABLE_FIELDS, TABLE_FIELDS + 1, &present);
	uint64_t id = unpack_uint(in), high;
	struct table_fold *table;

	if (in->rc != TIDE_OK)
		return;
	if ((table = fold_table_make(fold, id)) == NULL) {
		in->rc = TIDE_NOMEM;
		return;
	}
	table->state = (enum replica_state)unpack_uint_max(in, REPLICA_MERGING);
	table->shared = unpack_bool(in);
	table->items = unpack_uint(in);
	table->bytes = unpack_uint(in);
	high = unpack_uint(in);
	table->fingerprint = (fingerprint_t)high << 64 | unpack_uint(in);
	unpack_vector(in, NULL, &table->vector);
	unpack_vector(in, NULL, &table->position);
	unpack_vector(in, NULL, &table->floor);
	table->own_last.seq = unpack_uint(in);
	table->own_last.clock.v = unpack_uint(in);
	table->last_seq = unpack_uint(in);
	decode_boot(in, &table->boot);
	table->rejoin = (enum table_rejoin)unpack_uint_max(in, REJOIN_FOLLOWING);
	if (present > TABLE_FIELDS)
		fold__indexes_decode(in, table);
	unpack_skips(in, more);
}

static void
decode_member(struct unpack *in, struct fold *fold)
{
	uint32_t more = unpack_open(in, MEMBER_FIELDS, MEMBER_FIELDS, NULL);
	struct note note = {.kind = NOTE_MEMBER};

	note.region = (uint8_t)unpack_uint_max(in, UINT8_MAX);
	note.incarnation = (uint16_t)unpack_uint_max(in, UINT16_MAX);
	note.number = unpack_uint(in);
	note.flag = unpack_bool(in);
	unpack_skips(in, more);
	if (in->rc == TIDE_OK)
		in->rc = fold_note(fold, &note);
}

static void
decode_closed(struct unpack *in, struct fold *fold)
{
	uint32_t n = unpack_array(in);

	if (in->rc == TIDE_OK && n % 2 != 0)
		in->rc = TIDE_CORRUPT;
	for (uint32_t i = 0; i < n && in->rc == TIDE_OK; i += 2) {
		uint8_t region = (uint8_t)unpack_uint_max(in, UINT8_MAX);

		fold->closed[region] = (uint16_t)unpack_uint_max(in, UINT16_MAX);
	}
}

static void
decode_fork(struct unpack *in, struct fork *fork)
{
	uint32_t more = unpack_open(in, FORK_FIELDS, FORK_FIELDS, NULL);

	fork->reason = (enum fork_reason)unpack_uint_max(in, FORK_LOST);
	fork->peer = (uint8_t)unpack_uint_max(in, UINT8_MAX);
	fork->seq = unpack_uint(in);
	unpack_skips(in, more);
}

tide_err
fold_decode(struct fold *fold, struct bytes bytes)
{
	struct unpack in = unpack_of(bytes);
	uint32_t n;

	*fold = (struct fold){0};
	unpack_open(&in, FOLD_FIELDS, FOLD_FIELDS, NULL);
	if (unpack_uint(&in) > FOLD_FORMAT && in.rc == TIDE_OK)
		return TIDE_FORMAT;
	fold->id.v = (uint32_t)unpack_uint_max(&in, UINT32_MAX);
	fold->last_seq = unpack_uint(&in);
	fold->clock.v = unpack_uint(&in);
	fold->own_clock.v = unpack_uint(&in);
	unpack_vector(&in, NULL, &fold->position);
	fold->conflicts = unpack_uint(&in);
	n = unpack_array(&in);
	for (uint32_t i = 0; i < n && in.rc == TIDE_OK; i++)
		decode_table(&in, fold);
	n = unpack_array(&in);
	for (uint32_t i = 0; i < n && in.rc == TIDE_OK; i++)
		decode_member(&in, fold);
	decode_closed(&in, fold);
	decode_fork(&in, &fold->fork);
	if (in.rc == TIDE_OK)
		in.rc = fold__built_in(fold);
	if (in.rc != TIDE_OK)
		fold_fini(fold);
	return in.rc;
}

tide_err
fold_copy(struct fold *to, const struct fold *from)
{
	struct buf form = {0};
	struct fold copy;
	tide_err rc;

	/* Through the checkpoint form: rare (a group that failed), and one description of the fold is enough. */
	if ((rc = fold_encode(from, &form)) == TIDE_OK)
		rc = fold_decode(&copy, buf_bytes(&form));
	buf_fini(&form);
	if (rc != TIDE_OK)
		return rc;
	fold_fini(to);
	*to = copy;
	return TIDE_OK;
}
