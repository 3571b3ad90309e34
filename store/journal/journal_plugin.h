/*
 * What a journal plug-in implements: one struct of functions, each with the contract of its journal_ namesake in
 * journal.h. A plug-in's own types begin with the base struct below, so that journal.c can forward without knowing them.
 */
#ifndef TIDE_STORE_JOURNAL_PLUGIN_H
#define TIDE_STORE_JOURNAL_PLUGIN_H

#include "store/journal/journal.h"

struct journal_plugin {
	const char *name;
	tide_err (*open)(
	    const char *dir, const struct journal_options *, struct journal **, struct tide_error *);
	void (*close)(struct journal *);
	tide_err (*append)(struct journal *, const struct journal_entry *, uint32_t n, struct tide_error *);
	uint32_t (*holes)(struct journal *, struct journal_hole *out, uint32_t max); /* NULL: it has none */
	uint64_t (*first_seq)(const struct journal *);
	uint64_t (*last_seq)(const struct journal *);
	uint64_t (*bytes)(const struct journal *);
	tide_err (*seal)(struct journal *, struct tide_error *);
	tide_err (*trim)(struct journal *, uint64_t below_seq, struct tide_error *);
	tide_err (*reader_open)(
	    struct journal *, uint64_t from, struct journal_reader **, struct tide_error *);
	tide_err (*reader_filter)(struct journal_reader *, const uint64_t *tables, uint32_t n);
	tide_err (*reader_next)(
	    struct journal_reader *, struct bytes *, uint64_t *passed, struct tide_error *);
	void (*reader_close)(struct journal_reader *);
	uint64_t (*seek_origin)(struct journal *, struct jid origin, uint64_t after);
	uint64_t (*seek_clock)(struct journal *, struct hlc clock);
};

struct journal {
	const struct journal_plugin *plugin;
};

struct journal_reader {
	const struct journal_plugin *plugin;
};

extern const struct journal_plugin journal_segments, journal_memory;

/** journal_peek_id for each plug-in: TIDE_NOTFOUND when it has no journal of that name. */
tide_err segments_peek_id(const char *dir, struct jid *id, struct tide_error *error);
tide_err memory_peek_id(const char *dir, struct jid *id, struct tide_error *error);

/** journal_moved for disks in memory. */
void memory_moved(const char *from, const char *to);

#endif
