/*
 * The journal: one shard's ordered history, append-only, fsynced. The journal is the database.
 *
 *     dir/00000000000000000001.seg   segment files, named by their first sequence number
 *     dir/00000000000000000001.idx   index of a sealed segment: by table, by origin, by clock
 *
 * Frames around units carry length, checksum and a closing mark, so that half a unit is never taken for a whole one.
 * On open a torn tail (what the last append left unfinished: never acknowledged) is cut off; a bad frame anywhere
 * else is damage: TIDE_CORRUPT, named by file and offset, and nothing after it is guessed. A whole segment, sealed and not the last, that is
 * missing or cannot be read is a hole: the journal opens, what lies before and behind can be read, and who comes to it is TIDE_CORRUPT.
 *
 * Two plug-ins: "segments" (files), "memory" (simulated fsync, for the simulator and tests).
 * One thread appends, seals and trims; any number of threads read at the same time. Readers see only what is synced.
 */
#ifndef TIDE_STORE_JOURNAL_JOURNAL_H
#define TIDE_STORE_JOURNAL_JOURNAL_H

#include "store/journal/unit.h"

struct journal;
struct journal_reader;

struct journal_options {
	struct jid id; /* goes into every segment header; a folder of another journal is TIDE_FENCED */
	uint64_t segment_bytes; /* a segment is sealed when it passes this; 0: 64 MB */
	bool create; /* start an empty journal where there is none */
	bool read_only; /* for checks: no lock, no cut, no write */
};

/**
 * Open the journal in `dir`. Takes a lock on the folder.
 * Errors     TIDE_NOTFOUND, TIDE_FENCED (locked, or of another journal id), TIDE_CORRUPT, TIDE_IO, TIDE_FULL, TIDE_NOMEM.
 */
tide_err journal_open(const char *plugin, const char *dir, const struct journal_options *options,
    struct journal **out, struct tide_error *error);

/** Close; takes NULL. No reader may be open. */
void journal_close(struct journal *journal);

/** The id that a journal folder belongs to, read from its segments. TIDE_NOTFOUND: no journal there. */
tide_err journal_peek_id(const char *dir, struct jid *id, struct tide_error *error);

/** The caller has renamed, or removed, a journal's folder: what a plug-in keeps elsewhere under that name goes the same way. */
void journal_moved(const char *from, const char *to);
void journal_removed(const char *dir);

#define JOURNAL_PAYLOAD_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define JOURNAL_TABLES_MAX 65536

/** Damage: these sequences cannot be read, and where. */
typedef void (*journal_damage_fn)(void *arg, uint64_t first_seq, uint64_t last_seq, const char *where);

/**
 * Read the segment files of a journal that nobody has open, from end to end, and tell of each damaged place. Writes nothing.
 * Errors     TIDE_OK also where there is damage. TIDE_NOTFOUND: no folder. TIDE_IO, TIDE_NOMEM, TIDE_FORMAT.
 */
tide_err journal_verify(
    const char *dir, struct jid id, journal_damage_fn tell, void *arg, struct tide_error *error);

/* One encoded unit to append, with what the segment's index needs to know about it. */
struct journal_entry {
	uint64_t first_seq, last_seq;
	struct bytes payload; /* unit_encode_disk */
	struct jid origin; /* of its records; JID_NONE for a note */
	uint64_t origin_seq_last; /* greatest origin sequence in it, 0: none */
	struct hlc clock; /* greatest clock in it */
	const uint64_t *tables; /* distinct tables of its records and entries */
	uint32_t n_tables;
};

/**
 * Append units in order with one write and one fsync (group commit).
 *
 * On TIDE_OK all of them are on disk and readers may see them. Sequences must go on from journal_last_seq.
 *
 * Thread     the appending thread.
 * Errors     TIDE_FULL, TIDE_IO  failed: nothing of it is or will be in the journal; appending may go on.
 *            TIDE_NOMEM          the same.
 *            TIDE_USAGE          the same: sequences that do not go on, or a payload or table list over the limit.
 *            TIDE_UNKNOWN        the outcome is not known (a failing fsync): no more appends; reopen and read the tail.
 *            TIDE_FENCED         somebody else owns this journal now.
 */
tide_err journal_append(
    struct journal *journal, const struct journal_entry *entries, uint32_t n, struct tide_error *error);

/* A sealed segment that is missing or damaged, as found when the journal was opened. */
struct journal_hole {
	uint64_t first_seq, last_seq;
	char why[256]; /* file and, where it applies, offset */
};

/** The holes, oldest first; `out` takes `max` of them. How many there are. Any thread. */
uint32_t journal_holes(struct journal *journal, struct journal_hole *out, uint32_t max);

uint64_t journal_first_seq(
    const struct journal *journal); /* of the oldest segment kept; last + 1 when empty */
uint64_t journal_last_seq(const struct journal *journal); /* 0 when nothing was ever appended. Any thread. */
uint64_t journal_bytes(const struct journal *journal); /* appended since open. Any thread. */

/** Seal the current segment now (an empty one is left as it is). Appending thread. */
tide_err journal_seal(struct journal *journal, struct tide_error *error);

/** Unlink sealed segments whose last sequence is below `seq`. Open readers keep what they have. Appending thread. */
tide_err journal_trim(struct journal *journal, uint64_t below_seq, struct tide_error *error);

/**
 * A reader of the units from the one that holds sequence `from` on. Any thread; a reader belongs to one thread at a time.
 * TIDE_NOTFOUND: `from` is below the oldest segment kept.
 */
tide_err journal_reader_open(
    struct journal *journal, uint64_t from, struct journal_reader **out, struct tide_error *error);

/**
 * Only units that touch one of these tables are wanted; whole segments and stretches are skipped by their index.
 * `n` 0: every unit is wanted. TIDE_NOMEM: unchanged.
 */
tide_err journal_reader_filter(struct journal_reader *reader, const uint64_t *tables, uint32_t n);

/**
 * The next unit. `payload` borrows from the reader until its next call. At the end of what is synced TIDE_NOTFOUND: call
 * again later. `*passed` (may be NULL): every unit up to this sequence was returned or skipped by the filter.
 * Errors     TIDE_NOTFOUND, TIDE_CORRUPT (file and offset in `error`), TIDE_IO, TIDE_NOMEM.
 *            TIDE_GAP: the segment that comes next was trimmed away meanwhile.
 */
tide_err journal_reader_next(
    struct journal_reader *reader, struct bytes *payload, uint64_t *passed, struct tide_error *error);
void journal_reader_close(struct journal_reader *reader);

/**
 * The sequence from which a reader finds every record of `origin` with an origin sequence above `after`, by the indexes:
 * never too late, at most one segment too early.
 */
uint64_t journal_seek_origin(struct journal *journal, struct jid origin, uint64_t after);

/** The sequence from which a reader finds every unit with a clock >= `clock`, by the indexes; never too late. */
uint64_t journal_seek_clock(struct journal *journal, struct hlc clock);

#endif
