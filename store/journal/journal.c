#include "store/journal/journal.h"

#include "store/journal/journal_memory.h"
#include "store/journal/journal_plugin.h"

static const struct journal_plugin *const plugins[] = {&journal_segments, &journal_memory};

tide_err
journal_open(const char *plugin, const char *dir, const struct journal_options *options, struct journal **out,
    struct tide_error *error)
{
	for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
		if (strcmp(plugins[i]->name, plugin) == 0)
			return plugins[i]->open(dir, options, out, error);
	}
	return tide_fail(
	    error, TIDE_USAGE, "no journal plug-in is called '%s' (there are: segments, memory)", plugin);
}

void
journal_close(struct journal *journal)
{
	if (journal != NULL)
		journal->plugin->close(journal);
}

tide_err
journal_peek_id(const char *dir, struct jid *id, struct tide_error *error)
{
	tide_err rc = memory_peek_id(dir, id, error);

	return rc == TIDE_NOTFOUND ? segments_peek_id(dir, id, error) : rc;
}

void
journal_moved(const char *from, const char *to)
{
	memory_moved(from, to);
}

void
journal_removed(const char *dir)
{
	journal_memory_disk_destroy(dir);
}

static tide_err
check_entries(
    const struct journal *journal, const struct journal_entry *entries, uint32_t n, struct tide_error *error)
{
	uint64_t next = journal_last_seq(journal) + 1;

	for (uint32_t i = 0; i < n; i++) {
		if (entries[i].first_seq != next || entries[i].last_seq < next)
			return tide_fail(error, TIDE_USAGE,
			    "append of sequences %llu to %llu where %llu comes next",
			    (unsigned long long)entries[i].first_seq, (unsigned long long)entries[i].last_seq,
			    (unsigned long long)next);
		if (entries[i].payload.n > JOURNAL_PAYLOAD_BYTES_MAX ||
		    entries[i].n_tables > JOURNAL_TABLES_MAX)
			return tide_fail(error, TIDE_USAGE,
			    "a unit of %zu bytes and %u tables is larger than a frame", entries[i].payload.n,
			    entries[i].n_tables);
		next = entries[i].last_seq + 1;
	}
	return TIDE_OK;
}

tide_err
journal_append(
    struct journal *journal, const struct journal_entry *entries, uint32_t n, struct tide_error *error)
{
	tide_err rc = check_entries(journal, entries, n, error);

	if (rc != TIDE_OK || n == 0)
		return rc;
	return journal->plugin->append(journal, entries, n, error);
}

uint32_t
journal_holes(struct journal *journal, struct journal_hole *out, uint32_t max)
{
	return journal->plugin->holes != NULL ? journal->plugin->holes(journal, out, max) : 0;
}

uint64_t
journal_first_seq(const struct journal *journal)
{
	return journal->plugin->first_seq(journal);
}

uint64_t
journal_last_seq(const struct journal *journal)
{
	return journal->plugin->last_seq(journal);
}

uint64_t
journal_bytes(const struct journal *journal)
{
	return journal->plugin->bytes(journal);
}

tide_err
journal_seal(struct journal *journal, struct tide_error *error)
{
	return journal->plugin->seal(journal, error);
}

tide_err
journal_trim(struct journal *journal, uint64_t below_seq, struct tide_error *error)
{
	return journal->plugin->trim(journal, below_seq, error);
}

tide_err
journal_reader_open(
    struct journal *journal, uint64_t from, struct journal_reader **out, struct tide_error *error)
{
	return journal->plugin->reader_open(journal, from, out, error);
}

tide_err
journal_reader_filter(struct journal_reader *reader, const uint64_t *tables, uint32_t n)
{
	return reader->plugin->reader_filter(reader, tables, n);
}

tide_err
journal_reader_next(
    struct journal_reader *reader, struct bytes *payload, uint64_t *passed, struct tide_error *error)
{
	return reader->plugin->reader_next(reader, payload, passed, error);
}

void
journal_reader_close(struct journal_reader *reader)
{
	if (reader != NULL)
		reader->plugin->reader_close(reader);
}

uint64_t
journal_seek_origin(struct journal *journal, struct jid origin, uint64_t after)
{
	return journal->plugin->seek_origin(journal, origin, after);
}

uint64_t
journal_seek_clock(struct journal *journal, struct hlc clock)
{
	return journal->plugin->seek_clock(journal, clock);
}
