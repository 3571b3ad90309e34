/* Whether a record that a peer holds as ours is ours. */
#include "store/shard/shard_priv.h"

static bool
is_it(const struct record *records, uint32_t n, uint64_t table, struct mark mark)
{
	for (uint32_t i = 0; i < n; i++)
		if (records[i].seq == mark.seq)
			return records[i].table == table && records[i].version.clock.v == mark.clock.v;
	return false;
}

tide_err
shard_own_record(struct shard *shard, uint64_t table, struct mark mark, struct tide_error *error)
{
	struct journal *journal = shard_journal(shard);
	struct journal_reader *reader;
	struct bytes payload;
	struct arena arena;
	struct unit unit;
	tide_err rc;

	/* What is on disk may have been sent before it was visible here. */
	if (mark.seq > journal_last_seq(journal))
		return TIDE_FORKED;
	if (mark.seq < journal_first_seq(journal))
		return TIDE_OK; /* let go long ago, when all peers had it */
	if ((rc = journal_reader_open(journal, mark.seq, &reader, error)) != TIDE_OK)
		return rc == TIDE_NOTFOUND ? TIDE_OK : rc;
	arena_init(&arena, 0);
	if ((rc = journal_reader_next(reader, &payload, NULL, error)) == TIDE_OK &&
	    (rc = unit_decode(&arena, payload, &unit, error)) == TIDE_OK) {
		bool own = unit.kind == UNIT_LOCAL ? is_it(unit.records, unit.n_records, table, mark)
						   : is_it(unit.entries, unit.n_entries, table, mark);

		rc = own ? TIDE_OK : TIDE_FORKED;
	} else if (rc == TIDE_NOTFOUND || rc == TIDE_GAP) {
		rc = TIDE_OK;
	}
	arena_fini(&arena);
	journal_reader_close(reader);
	return rc;
}
