/*
 * What travels: messages between replicators, and between a replicator and its region's API process (its "endpoint").
 * docs/replication.md is the manual of this protocol.
 *
 * Every message is one msgpack array [protocol, type, fields...]. Each struct inside is an array of its own. A reader skips
 * elements that it does not know, at every level; what must not be skipped raises WIRE_PROTOCOL. A request gets exactly one
 * answer: the one named beside it, or ERROR.
 *
 *     request        answer         asked by    what for
 *     HELLO          HELLO          replicator  who I am, what I know of you; the answer carries the answerer's state
 *     SHIP_OPEN      SHIP_OPENED    replicator  start sending me one origin's records beyond these vectors
 *     SHIP_NEXT      RECORDS        replicator  a credit: the next batch of that session, held until there is one
 *     SHIP_CLOSE     DONE           replicator
 *     SNAP_READ      PIECE          replicator  a piece of a snapshot (number 0: of a fresh one)
 *     LEAVE_ASK      LEAVE_ANSWER   replicator  may my replica go?
 *   only between a replicator and its own endpoint:
 *     STATE_ASK      STATE          held until the state differs from the one known
 *     APPLY          APPLIED        one RECORDS batch, in a numbered stream
 *     LOAD           DONE           one PIECE
 *     BOOT           DONE           a table must be loaded (again) from a snapshot
 *     MEMBER         DONE           what a peer's HELLO said
 *     LEAVE_GRANTED  DONE           a staying replica said yes
 *     LINKS          DONE           the replicator's view of its links, for status
 *     STATUS_ASK     STATUS         the region's status as JSON (anybody who may open the socket)
 *     MEMBER_LOST    DONE           the operator declares a region lost (the same)
 *     REJOIN         DONE           the operator wants replicas back that fell behind what their peers keep (the same)
 *     REINCARNATE    DONE           the operator has a region whose journal is over go on under a new one (the same)
 *
 * Structs here borrow: decoding takes arrays from the arena and leaves bytes in the input. Thread: any.
 */
#ifndef TIDE_REPLICATOR_WIRE_H
#define TIDE_REPLICATOR_WIRE_H

#include "base/arena.h"
#include "conflict/vector.h"

#define WIRE_PROTOCOL 1
#define WIRE_MESSAGE_MAX (24u << 20) /* bytes; what a socket accepts */
#define WIRE_UNITS_MAX (64u << 20) /* bytes of units in one batch, uncompressed */
#define WIRE_ARENA_MAX (64u << 20) /* what one message may take decoded */
#define WIRE_TABLES_MAX 65536
#define WIRE_COMPRESS_MIN 8192 /* smaller batches travel as they are */

#define WIRE_TYPES(X)                                                                                        \
	X(ERROR, error)                                                                                      \
	X(DONE, done)                                                                                        \
	X(HELLO, hello)                                                                                      \
	X(SHIP_OPEN, ship_open)                                                                              \
	X(SHIP_OPENED, ship_opened)                                                                          \
	X(SHIP_NEXT, ship_next)                                                                              \
	X(RECORDS, records)                                                                                  \
	X(SHIP_CLOSE, ship_close)                                                                            \
	X(SNAP_READ, snap_read)                                                                              \
	X(PIECE, piece)                                                                                      \
	X(LEAVE_ASK, leave_ask)                                                                              \
	X(LEAVE_ANSWER, leave_answer)                                                                        \
	X(STATE_ASK, state_ask)                                                                              \
	X(STATE, state)                                                                                      \
	X(APPLY, apply)                                                                                      \
	X(APPLIED, applied)                                                                                  \
	X(LOAD, load)                                                                                        \
	X(BOOT, boot)                                                                                        \
	X(MEMBER, member)                                                                                    \
	X(LEAVE_GRANTED, leave_granted)                                                                      \
	X(LINKS, links)                                                                                      \
	X(STATUS_ASK, status_ask)                                                                            \
	X(STATUS, status)                                                                                    \
	X(MEMBER_LOST, member_lost)                                                                          \
	X(REJOIN, rejoin)                                                                                    \
	X(REINCARNATE, reincarnate)

/* Numbers on the wire: in this order from 0, never changed; new ones go to the end. */
enum wire_type {
#define X(type, member) WIRE_##type,
	WIRE_TYPES(X)
#undef X
	    WIRE_TYPES_N
};

struct wire_error {
	tide_err code; /* by name on the wire; one that is not known is INTERNAL */
	uint64_t table; /* SHIP_OPEN: the one whose records are gone; 0: none */
	struct bytes message;
};

struct wire_done {
	uint8_t nothing;
};

/* --- state: what a region holds. In HELLO without positions, boots and questions. --- */

struct wire_boot {
	bool under_way;
	uint8_t source;
	uint64_t snapshot;
	struct bytes cursor;
	uint64_t items_loaded, items_expected;
};

struct wire_table {
	uint64_t id;
	uint8_t state; /* enum replica_state */
	bool shared;
	struct vector vector, position;
	struct wire_boot boot;
	uint8_t rejoin; /* enum table_rejoin */
};

struct wire_member {
	uint8_t region;
	uint16_t incarnation;
	uint64_t nonce;
	bool counted, lost;
	uint64_t ahead_ms; /* its clock is ahead of ours by at least this much */
};

/* A leaving replica's question that waits for answers. */
struct wire_question {
	uint64_t table, number;
	struct bytes staying; /* region numbers, a byte each */
};

/* Of a region, its journals up to this incarnation are closed. */
struct wire_through {
	uint8_t region;
	uint16_t incarnation;
};

/* Of a region, its journals up to this incarnation are known to be dead. */
struct wire_dead {
	uint8_t region;
	uint16_t incarnation;
	uint64_t nonce; /* of the incarnation after it, which lives; 0: the region was declared lost */
};

struct wire_state {
	struct jid id;
	uint64_t nonce;
	struct hlc clock;
	uint64_t signature; /* changes when a table's state, a member, a bootstrap or a question does */
	struct wire_table *tables;
	uint32_t n_tables;
	struct wire_member *members;
	uint32_t n_members;
	struct wire_question *questions;
	uint32_t n_questions;
	struct wire_through *closed; /* nobody is asked for these */
	uint32_t n_closed;
	struct wire_dead *dead; /* the deaths that were known at that moment */
	uint32_t n_dead;
};

struct wire_hello {
	uint8_t from, to; /* region numbers */
	struct bytes name; /* of the sender's region */
	struct jid id; /* the sender's journal, its nonce, its clock */
	uint64_t nonce;
	struct hlc clock;
	uint16_t known_incarnation; /* what the sender knows of the receiver; 0: nothing */
	uint64_t known_nonce;
	bool has_state; /* the answer */
	struct wire_state state;
	bool known_lost; /* that journal of the receiver was declared lost */
	uint64_t
	    mark_table; /* what the sender holds of it: its last record, and of which table; seq 0: none */
	struct mark mark;
	uint64_t wall_ms; /* the sender's real-time clock; 0: it does not say */
	uint64_t ahead_ms; /* the receiver's clock is ahead of the sender's by at least this much */
	struct bytes cluster; /* the sender's; in requests between replicators */
};

/* --- records of one origin --- */

#define WIRE_WANTED_ALL                                                                                      \
	UINT64_MAX /* `after`: whoever is asked need not hold the table, nobody has more of it */

struct wire_wanted {
	uint64_t table, after;
};

struct wire_ship_open {
	uint8_t from; /* region number of the one that asks */
	uint64_t instance; /* of its replicator: a new one's session replaces an old one's */
	struct jid origin;
	uint64_t position; /* the least over its tables */
	struct wire_wanted *tables;
	uint32_t n_tables;
};

struct wire_ship_opened {
	uint64_t session;
};

struct wire_ship_next {
	uint64_t session;
	uint64_t bytes_max;
	bool urgent; /* answer the oldest held request of this session at once */
	uint64_t got; /* batches of this session that have come so far */
};

struct wire_told {
	uint64_t table;
	uint8_t state;
	struct vector vector;
};

struct wire_records {
	uint64_t session;
	uint64_t index; /* of the batch in its session, from 0: answers may overtake each other */
	struct mark base, upto;
	bool at_end;
	uint64_t behind;
	bool tells; /* `promise` and `told` hold: at the end of the sender's own journal */
	struct hlc promise;
	struct wire_told *told;
	uint32_t n_told;
	uint32_t n_units, n_records;
	uint64_t plain_bytes; /* of `units` uncompressed; 0: `units` is not compressed (zstd) */
	struct bytes units; /* each with a u32 (big-endian) length before it */
};

struct wire_ship_close {
	uint64_t session;
};

/* --- a snapshot --- */

struct wire_snap_read {
	uint64_t table, snapshot; /* snapshot 0: open one */
	struct bytes after;
	uint64_t bytes_max;
};

struct wire_piece {
	uint64_t table, snapshot;
	struct bytes after, cursor;
	bool done;
	struct vector vector, position;
	struct hlc clock;
	uint64_t items_expected;
	uint64_t plain_bytes; /* as in RECORDS */
	struct bytes unit;
};

/* --- leaving --- */

struct wire_leave_ask {
	uint8_t from;
	uint64_t table, number;
	struct vector vector;
};

struct wire_leave_answer {
	uint64_t table, number;
	bool yes;
};

struct wire_leave_granted {
	uint8_t from; /* the region that said yes */
	uint64_t table, number;
};

/* --- between a replicator and its endpoint --- */

struct wire_state_ask {
	uint64_t signature; /* the one known; 0: answer at once */
};

struct wire_apply {
	uint64_t instance, stream; /* a later stream of one instance and origin ends an earlier one */
	uint64_t index; /* from 0, dense: applied in this order whatever order they come in */
	struct jid origin;
	uint8_t via;
	uint64_t *tables; /* that the session was opened with */
	uint32_t n_tables;
	struct wire_records records; /* uncompressed */
	bool later; /* the one that sent it is a later incarnation of the origin: it has it from others */
};

struct wire_applied {
	uint64_t index;
	tide_err
	    result; /* OK, GAP, HELD, FORKED, AGAIN (an earlier one of the stream failed), CORRUPT, ... */
	struct jid held_for; /* HELD: JID_NONE: for the clock */
	uint64_t table;
	uint32_t n_records; /* that were new here */
	struct bytes message;
};

struct wire_load {
	uint8_t source;
	struct wire_piece piece; /* uncompressed */
};

struct wire_boot_ask {
	uint64_t table;
	bool restart; /* forget what was loaded; else: its journal is gone, it has to be loaded */
};

struct wire_member_heard {
	struct wire_hello hello; /* with the state only while a dead journal is not closed */
};

struct wire_link {
	uint8_t region;
	bool connected; /* and greeted */
	struct bytes state; /* "down", "greeting", "up", "refused" */
	struct bytes reason; /* why it is refused or failed last */
	uint64_t round_trip_us, bytes_per_second, records_per_second, retries, bytes, records;
	uint64_t limit_bytes_per_second, postponed; /* 0: no limit; requests that wait for their time */
};

struct wire_origin {
	struct jid origin;
	uint8_t via; /* 0: nobody */
	struct bytes state; /* "idle", "wait", "opening", "running", "held", "stopped" */
	struct bytes reason;
	struct jid held_for;
	uint64_t behind_records, behind_ms, applied_seq;
};

struct wire_loading {
	uint64_t table;
	uint8_t source;
	struct bytes state;
	uint64_t items_per_second;
};

struct wire_links {
	uint64_t instance;
	struct wire_link *links;
	uint32_t n_links;
	struct wire_origin *origins;
	uint32_t n_origins;
	struct wire_loading *loadings;
	uint32_t n_loadings;
};

struct wire_status_ask {
	uint8_t nothing;
};

struct wire_status {
	struct bytes json;
};

struct wire_member_lost {
	struct bytes name; /* the region's */
};

struct wire_rejoin {
	uint64_t table; /* 0: all that need it */
};

struct wire_reincarnate {
	struct bytes name; /* of the region that is asked: nobody reincarnates another by mistake */
};

struct wire_message {
	enum wire_type type;
	union {
		struct wire_error error;
		struct wire_done done;
		struct wire_hello hello;
		struct wire_ship_open ship_open;
		struct wire_ship_opened ship_opened;
		struct wire_ship_next ship_next;
		struct wire_records records;
		struct wire_ship_close ship_close;
		struct wire_snap_read snap_read;
		struct wire_piece piece;
		struct wire_leave_ask leave_ask;
		struct wire_leave_answer leave_answer;
		struct wire_state_ask state_ask;
		struct wire_state state;
		struct wire_apply apply;
		struct wire_applied applied;
		struct wire_load load;
		struct wire_boot_ask boot;
		struct wire_member_heard member;
		struct wire_leave_granted leave_granted;
		struct wire_links links;
		struct wire_status_ask status_ask;
		struct wire_status status;
		struct wire_member_lost member_lost;
		struct wire_rejoin rejoin;
		struct wire_reincarnate reincarnate;
	};
};

#define WIRE_SUM_BYTES 8

/** Append the message and the checksum of its bytes. TIDE_NOMEM. */
tide_err wire_encode(const struct wire_message *message, struct buf *out);

/**
 * Decode a message from anybody. TCP's own sum misses one damaged packet in thousands, and nobody would notice: what was changed is refused.
 * Errors     TIDE_CORRUPT, TIDE_NOMEM (also: larger than the arena's limit), TIDE_FORMAT (another protocol: `error` says which).
 */
tide_err wire_decode(
    struct arena *arena, struct bytes in, struct wire_message *out, struct tide_error *error);

/** The same without the checksum: what a message may do to its reader does not depend on it. Errors as wire_decode. */
tide_err wire_decode_body(
    struct arena *arena, struct bytes in, struct wire_message *out, struct tide_error *error);

/** Of all tables of a state, the mark of `origin` with the greatest sequence, and its table. {0}: it holds nothing of it. Any thread. */
struct mark wire_state_last(const struct wire_state *state, struct jid origin, uint64_t *table);

/** "RECORDS". Never NULL. */
const char *wire_type_name(enum wire_type type);

/**
 * Compress a payload of WIRE_COMPRESS_MIN or more bytes into `out` where that makes it smaller. True: then `*plain_bytes` is its
 * length before. False: `out` is untouched, send it as it is.
 */
bool wire_compress(struct bytes plain, struct buf *out, uint64_t *plain_bytes);

/** The other way; `plain_bytes` is checked against WIRE_UNITS_MAX and what comes out. TIDE_CORRUPT, TIDE_NOMEM. */
tide_err wire_decompress(struct bytes packed, uint64_t plain_bytes, struct buf *out);

#endif
