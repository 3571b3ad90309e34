/*
 * Segment files: a header, then frames, each around one unit. Everything is big-endian and aligned to 8 bytes.
 * docs/journal-format.md is the reference.
 *
 *     header   magic (8) format (4) journal id (4) first seq (8) reserved (32) checksum (8)            64 bytes
 *     frame    mark (4) type (1) format (1) zero (2) payload bytes (4) tables (4)
 *              first seq (8) last seq (8) append seq (8) clock (8) origin seq (8) origin (4) zero (4)  64 bytes
 *              table ids (8 each), head checksum (8)
 *              payload, zeros up to 8, payload checksum (8), closing mark (4), frame bytes / 8 (4)
 *
 * `append seq` is the first sequence of the append that wrote the frame: what one append left unfinished can be told
 * from damage before a later append. The head checksum is keyed by journal id and first sequence, the payload
 * checksum by the head checksum, so bytes of another place never pass.
 */
#ifndef TIDE_STORE_JOURNAL_SEGMENT_FRAME_H
#define TIDE_STORE_JOURNAL_SEGMENT_FRAME_H

#include "store/journal/journal.h"

#define SEGMENT_HEADER_BYTES 64
#define SEGMENT_FORMAT 1
#define FRAME_FIXED_BYTES 64
#define FRAME_TRAILER_BYTES 16 /* payload checksum, closing mark, frame length */
#define FRAME_ALIGN 8
#define FRAME_TYPE_UNIT 1
#define FRAME_FORMAT 1

/* A frame as read. Pointers borrow from the source until its next call. */
struct frame {
	uint64_t first_seq, last_seq, append_seq;
	struct hlc clock;
	struct jid origin;
	uint64_t origin_seq_last;
	uint32_t n_tables, payload_n;
	const uint8_t *tables; /* big-endian; frame_table() */
	uint64_t head_checksum;
	uint64_t bytes; /* the whole frame */
};

/* Buffered reads of one file. Zero with an fd is ready. */
struct frame_source {
	int fd;
	uint8_t *buf;
	size_t room, fill;
	uint64_t at; /* file offset of buf[0] */
};

void segment_header_append(struct buf *out, struct jid id, uint64_t first_seq);

/** TIDE_CORRUPT: not a header (torn or damaged); TIDE_FORMAT: of a newer version. */
tide_err segment_header_parse(const uint8_t at[SEGMENT_HEADER_BYTES], struct jid *id, uint64_t *first_seq);

/** The frame that entry `e` takes, appended to `out`. The entry's sizes were checked. */
void frame_append(struct buf *out, struct jid id, const struct journal_entry *e, uint64_t append_seq);

/** Bytes of the frame that this entry takes. */
uint64_t frame_bytes_of(const struct journal_entry *e);

static inline uint64_t
frame_table(const struct frame *frame, uint32_t i)
{
	return bytes_u64(frame->tables + 8 * (size_t)i);
}

/** Release the buffer; the fd stays the caller's. */
void frame_source_fini(struct frame_source *source);

/** Forget what was buffered: the file is another, or has changed. */
void frame_source_reset(struct frame_source *source, int fd);

/**
 * Read and check the head (all but the payload) of the frame at file offset `at`, of which nothing lies at or
 * after `limit`. TIDE_CORRUPT: there is no whole valid head, or the frame would not end by `limit`. TIDE_FORMAT: valid,
 * of a newer version. TIDE_IO, TIDE_NOMEM.
 */
tide_err frame_read_head(
    struct frame_source *source, struct jid id, uint64_t at, uint64_t limit, struct frame *out);

/** Read and check the payload of the frame whose head was read at `at`. Errors as above. */
tide_err frame_read_payload(
    struct frame_source *source, uint64_t at, struct frame *frame, struct bytes *payload);

/**
 * Find the first valid frame in [from, limit) that a later append than `append_seq` wrote.
 * TIDE_OK: `*found` is its offset; TIDE_NOTFOUND: there is none. TIDE_IO, TIDE_NOMEM.
 */
tide_err frame_find_later(struct frame_source *source, struct jid id, uint64_t from, uint64_t limit,
    uint64_t append_seq, uint64_t *found);

#endif
