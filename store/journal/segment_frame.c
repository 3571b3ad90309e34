#include "store/journal/segment_frame.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define SOURCE_BYTES ((size_t)256 * 1024)

static const uint8_t magic[8] = "TIDESEG1";
static const uint8_t mark_open[4] = "TIDF", mark_close[4] = "FDIT";

static size_t
padding(size_t payload_n)
{
	return (FRAME_ALIGN - payload_n % FRAME_ALIGN) % FRAME_ALIGN;
}

static size_t
head_bytes(uint32_t n_tables)
{
	return FRAME_FIXED_BYTES + 8 * (size_t)n_tables + 8;
}

static uint64_t
frame_bytes(uint32_t n_tables, uint32_t payload_n)
{
	return head_bytes(n_tables) + payload_n + padding(payload_n) + FRAME_TRAILER_BYTES;
}

uint64_t
frame_bytes_of(const struct journal_entry *e)
{
	return frame_bytes(e->n_tables, (uint32_t)e->payload.n);
}

/* The key of a checksum: whose journal, and where in it. The multiplier spreads the id over all bits. */
static uint64_t
key(struct jid id, uint64_t seq)
{
	return id.v * UINT64_C(0x9e3779b97f4a7c15) ^ seq;
}

/* ---- writing ---- */

void
segment_header_append(struct buf *out, struct jid id, uint64_t first_seq)
{
	static const uint8_t reserved[32];
	size_t start = out->n;

	buf_append(out, magic, sizeof magic);
	buf_append_u32(out, SEGMENT_FORMAT);
	buf_append_u32(out, id.v);
	buf_append_u64(out, first_seq);
	buf_append(out, reserved, sizeof reserved);
	if (!out->failed)
		buf_append_u64(out, XXH3_64bits(out->at + start, SEGMENT_HEADER_BYTES - 8));
}

tide_err
segment_header_parse(const uint8_t at[SEGMENT_HEADER_BYTES], struct jid *id, uint64_t *first_seq)
{
	if (memcmp(at, magic, sizeof magic) != 0 ||
	    bytes_u64(at + SEGMENT_HEADER_BYTES - 8) != XXH3_64bits(at, SEGMENT_HEADER_BYTES - 8))
		return TIDE_CORRUPT;
	if (bytes_u32(at + 8) != SEGMENT_FORMAT)
		return TIDE_FORMAT;
	id->v = bytes_u32(at + 12);
	*first_seq = bytes_u64(at + 16);
	return TIDE_OK;
}

void
frame_append(struct buf *out, struct jid id, const struct journal_entry *e, uint64_t append_seq)
{
	static const uint8_t zeros[FRAME_ALIGN];
	size_t start = out->n, payload_at, n = (size_t)frame_bytes_of(e);
	uint64_t head;

	if (buf_reserve(out, n) == NULL)
		return;
	buf_append(out, mark_open, sizeof mark_open);
	buf_append_byte(out, FRAME_TYPE_UNIT);
	buf_append_byte(out, FRAME_FORMAT);
	buf_append(out, zeros, 2);
	buf_append_u32(out, (uint32_t)e->payload.n);
	buf_append_u32(out, e->n_tables);
	buf_append_u64(out, e->first_seq);
	buf_append_u64(out, e->last_seq);
	buf_append_u64(out, append_seq);
	buf_append_u64(out, e->clock.v);
	buf_append_u64(out, e->origin_seq_last);
	buf_append_u32(out, e->origin.v);
	buf_append(out, zeros, 4);
	for (uint32_t i = 0; i < e->n_tables; i++)
		buf_append_u64(out, e->tables[i]);
	head = XXH3_64bits_withSeed(out->at + start, out->n - start, key(id, e->first_seq));
	buf_append_u64(out, head);
	payload_at = out->n;
	buf_append(out, e->payload.at, e->payload.n);
	buf_append(out, zeros, padding(e->payload.n));
	buf_append_u64(out, XXH3_64bits_withSeed(out->at + payload_at, out->n - payload_at, head));
	buf_append(out, mark_close, sizeof mark_close);
	buf_append_u32(out, (uint32_t)(n / FRAME_ALIGN));
}

/* ---- reading ---- */

void
frame_source_fini(struct frame_source *source)
{
	free(source->buf);
	*source = (struct frame_source){.fd = -1};
}

void
frame_source_reset(struct frame_source *source, int fd)
{
	source->fd = fd;
	source->fill = 0;
}

static tide_err
source_room(struct frame_source *source, size_t n)
{
	uint8_t *buf;

	if (n <= source->room)
		return TIDE_OK;
	if ((buf = realloc(source->buf, n)) == NULL)
		return TIDE_NOMEM;
	source->buf = buf;
	source->room = n;
	return TIDE_OK;
}

/* `n` bytes at file offset `at`; reads ahead, but not to `limit` or beyond. TIDE_CORRUPT: the file is shorter. */
static tide_err
source_get(struct frame_source *source, uint64_t at, size_t n, uint64_t limit, const uint8_t **out)
{
	size_t want = n > SOURCE_BYTES ? n : SOURCE_BYTES;
	tide_err rc;

	if (at > limit || limit - at < n)
		return TIDE_CORRUPT;
	if (at >= source->at && at - source->at <= source->fill && source->fill - (at - source->at) >= n) {
		*out = source->buf + (at - source->at);
		return TIDE_OK;
	}
	if (want > limit - at)
		want = (size_t)(limit - at);
	source->fill = 0;
	if ((rc = source_room(source, want)) != TIDE_OK)
		return rc;
	source->at = at;
	while (source->fill < want) {
		ssize_t got = pread(
		    source->fd, source->buf + source->fill, want - source->fill, (off_t)(at + source->fill));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return TIDE_IO;
		if (got == 0)
			break;
		source->fill += (size_t)got;
	}
	*out = source->buf;
	return source->fill >= n ? TIDE_OK : TIDE_CORRUPT;
}

static void
parse_fixed(const uint8_t *at, struct frame *out)
{
	out->payload_n = bytes_u32(at + 8);
	out->n_tables = bytes_u32(at + 12);
	out->first_seq = bytes_u64(at + 16);
	out->last_seq = bytes_u64(at + 24);
	out->append_seq = bytes_u64(at + 32);
	out->clock.v = bytes_u64(at + 40);
	out->origin_seq_last = bytes_u64(at + 48);
	out->origin.v = bytes_u32(at + 56);
}

tide_err
frame_read_head(struct frame_source *source, struct jid id, uint64_t at, uint64_t limit, struct frame *out)
{
	struct frame frame = {0};
	const uint8_t *head;
	size_t n;
	tide_err rc;

	if ((rc = source_get(source, at, FRAME_FIXED_BYTES, limit, &head)) != TIDE_OK)
		return rc;
	parse_fixed(head, &frame);
	/* Before the checksum is known to hold, the counts only bound what is read to check it. */
	if (memcmp(head, mark_open, sizeof mark_open) != 0 || frame.n_tables > JOURNAL_TABLES_MAX ||
	    frame.payload_n > JOURNAL_PAYLOAD_BYTES_MAX)
		return TIDE_CORRUPT;
	n = head_bytes(frame.n_tables);
	if ((rc = source_get(source, at, n, limit, &head)) != TIDE_OK)
		return rc;
	frame.head_checksum = bytes_u64(head + n - 8);
	if (frame.head_checksum != XXH3_64bits_withSeed(head, n - 8, key(id, frame.first_seq)))
		return TIDE_CORRUPT;
	if (head[4] != FRAME_TYPE_UNIT || head[5] != FRAME_FORMAT)
		return TIDE_FORMAT;
	frame.bytes = frame_bytes(frame.n_tables, frame.payload_n);
	if (frame.bytes > limit - at || frame.last_seq < frame.first_seq ||
	    frame.append_seq > frame.first_seq)
		return TIDE_CORRUPT;
	frame.tables = head + FRAME_FIXED_BYTES;
	*out = frame;
	return TIDE_OK;
}

tide_err
frame_read_payload(struct frame_source *source, uint64_t at, struct frame *frame, struct bytes *payload)
{
	size_t head = head_bytes(frame->n_tables), covered = frame->payload_n + padding(frame->payload_n);
	const uint8_t *whole, *trailer;
	tide_err rc;

	if ((rc = source_get(source, at, (size_t)frame->bytes, at + frame->bytes, &whole)) != TIDE_OK)
		return rc;
	trailer = whole + head + covered;
	if (bytes_u64(trailer) != XXH3_64bits_withSeed(whole + head, covered, frame->head_checksum) ||
	    memcmp(trailer + 8, mark_close, sizeof mark_close) != 0 ||
	    bytes_u32(trailer + 12) != frame->bytes / FRAME_ALIGN)
		return TIDE_CORRUPT;
	frame->tables = whole + FRAME_FIXED_BYTES;
	*payload = bytes_of(whole + head, frame->payload_n);
	return TIDE_OK;
}

tide_err
frame_find_later(struct frame_source *source, struct jid id, uint64_t from, uint64_t limit,
    uint64_t append_seq, uint64_t *found)
{
	const uint8_t *word;
	struct bytes payload;
	struct frame frame;
	tide_err rc;

	while (from + FRAME_ALIGN <= limit) {
		uint64_t step = FRAME_ALIGN;

		rc = source_get(source, from, FRAME_ALIGN, limit, &word);
		if (rc == TIDE_CORRUPT)
			break;
		if (rc == TIDE_OK && memcmp(word, mark_open, sizeof mark_open) == 0) {
			rc = frame_read_head(source, id, from, limit, &frame);
			if (rc == TIDE_OK)
				rc = frame_read_payload(source, from, &frame, &payload);
			/* A valid frame of a newer version: nothing that an unfinished append of ours left. */
			if (rc == TIDE_FORMAT || (rc == TIDE_OK && frame.append_seq > append_seq)) {
				*found = from;
				return TIDE_OK;
			}
			if (rc == TIDE_OK)
				step = frame.bytes;
		}
		if (rc == TIDE_IO || rc == TIDE_NOMEM)
			return rc;
		from += step;
	}
	return TIDE_NOTFOUND;
}
