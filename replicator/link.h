/*
 * The links of one region to all its peers, as one state machine without I/O: it owns no socket, clock, thread or file. The
 * daemon tells it what happened (the functions with `now`) and then carries out what link_next gives until it gives nothing.
 *
 *     what happened        link_local_up, link_state_came, link_peer_up, link_hello_came, link_opened, link_records, ...
 *     what is to be done   link_next: say hello, open a session, ask for a batch, apply a batch, ...
 *     when to come back    link_wake
 *
 * Every request that it asks for carries a ticket; the answer, or link_failed, brings it back. An answer to a question
 * that matters no more is refused by its ticket. Requests lost without an answer are the daemon's to time out.
 *
 * Per origin journal it keeps one pull: a session at one peer (the origin's own region where that can be reached, else a
 * relay that has more than we), a window of batches, and a stream of applies in the session's order. Rules: docs/replication.md.
 *
 * Memory is allocated at link_new only. Payloads are the daemon's: the machine holds the pointer and gives it back in LINK_DROP.
 * Not thread-safe. Times are milliseconds of a monotonic clock.
 */
#ifndef TIDE_REPLICATOR_LINK_H
#define TIDE_REPLICATOR_LINK_H

#include "replicator/wire.h"

#define LINK_PEERS_MAX 31
#define LINK_PULLS_MAX 64
#define LINK_WINDOW_MAX 128
#define LINK_APPLY_MAX 8 /* applies of one origin under way */
#define LINK_BOOTS_MAX 2
#define LINK_CURSOR_MAX 8192
#define LINK_REASON_MAX 160

struct link;

/* A STATE or a HELLO's answer, decoded, with the memory that holds it. Counted: pulls keep the one they were opened with. */
struct link_state {
	int references;
	struct arena arena;
	struct wire_message message;
	const struct wire_state *state; /* in message */
	uint64_t tables_hash; /* of the shared tables that follow peers: sessions are for exactly these */
	uint32_t n_following;
};

/** Decode a message that carries a state. TIDE_CORRUPT (another message, too), TIDE_NOMEM, or an ERROR message's own code. */
tide_err link_state_decode(struct bytes in, struct link_state **out, struct tide_error *error);
void link_state_release(struct link_state *state);

/** Tables of a state that follow `origin`, in the caller's array of state->n_following; the least position among them. */
uint64_t link_state_wanted(const struct link_state *state, struct jid origin, struct wire_wanted *out);

/**
 * Of a dead journal: has no region more of this table than we, now or ever? Every member has to be there and to know all deaths that we
 * know (store/shard/close.c says why that is enough). Then nobody needs to be asked for it.
 */
bool link_level(const struct link *link, struct jid origin, uint64_t table);

struct link_options {
	uint8_t region;
	uint8_t peers[LINK_PEERS_MAX]; /* region numbers */
	uint32_t n_peers;
	uint32_t window; /* batches of one origin under way or waiting; at most LINK_WINDOW_MAX */
	uint64_t seed; /* of the jitter */
	/* milliseconds; 0: the default */
	uint32_t hello_ms, stall_ms, retry_ms_min, retry_ms_max, held_ms;
};

struct link *link_new(const struct link_options *options);

/** Release everything; payloads still held come back by `drop`. */
void link_free(struct link *link, void (*drop)(void *payload));

/* --- what happened --- */

void link_local_up(struct link *link, uint64_t now);
void link_local_down(struct link *link, uint64_t now);

/** The answer to LINK_ASK_STATE. Takes the state over. */
void link_state_came(struct link *link, uint64_t now, uint64_t ticket, struct link_state *state);

/** A connection to that peer's replicator stands, or is gone. */
void link_peer_up(struct link *link, uint64_t now, uint8_t region);
void link_peer_down(struct link *link, uint64_t now, uint8_t region);

/** The answer to LINK_HELLO. Takes the state over. */
void link_hello_came(struct link *link, uint64_t now, uint64_t ticket, struct link_state *hello);

/** Any request failed: an ERROR came, no answer in time, or it could not be sent. */
void link_failed(struct link *link, uint64_t now, uint64_t ticket, const struct wire_error *error);

void link_opened(struct link *link, uint64_t now, uint64_t ticket, uint64_t session);

struct link_batch {
	uint64_t index;
	uint32_t n_records;
	uint64_t bytes;
	bool at_end, empty; /* empty: neither records nor progress */
	uint64_t upto_seq, behind;
	void *payload;
};

/** A batch came. False: it is not wanted any more and the payload stays the caller's. */
bool link_records(struct link *link, uint64_t now, uint64_t ticket, const struct link_batch *batch);

void link_applied(struct link *link, uint64_t now, uint64_t ticket, const struct wire_applied *applied);

struct link_piece {
	uint64_t snapshot;
	struct bytes cursor;
	bool done;
	uint64_t bytes;
	void *payload;
};

/** As link_records. */
bool link_piece_came(struct link *link, uint64_t now, uint64_t ticket, const struct link_piece *piece);

/** DONE came: for LINK_LOAD, LINK_BOOT, LINK_MEMBER, LINK_LEAVE_GRANTED. */
void link_done(struct link *link, uint64_t now, uint64_t ticket);

void link_leave_answer(struct link *link, uint64_t now, uint64_t ticket, bool yes);

/* --- what is to be done --- */

enum link_action_kind {
	/* to the local endpoint */
	LINK_ASK_STATE, /* signature */
	LINK_APPLY, /* origin, source, stream, index, payload, state (the tables) */
	LINK_LOAD, /* source, table, payload */
	LINK_BOOT, /* table, restart */
	LINK_MEMBER, /* source, state (its hello) */
	LINK_LEAVE_GRANTED, /* source, table, number */
	/* to the peer `source` */
	LINK_HELLO, /* state (ours) */
	LINK_OPEN, /* origin, state (ours) */
	LINK_NEXT, /* session, urgent, got */
	LINK_CLOSE, /* session; no answer is waited for */
	LINK_READ, /* table, snapshot, cursor */
	LINK_LEAVE_ASK, /* table, number, state (ours) */
	/* here */
	LINK_DROP, /* payload: release it */
	LINK_NOTE, /* a line for the log */
};

/* Lines for the log; ids are the daemon's. */
enum link_note {
	NOTE_CONNECTED,
	NOTE_DISCONNECTED,
	NOTE_REFUSED,
	NOTE_SESSION,
	NOTE_SESSION_LOST,
	NOTE_GAP,
	NOTE_HELD,
	NOTE_FORKED,
	NOTE_BELOW_FLOOR,
	NOTE_BOOT_START,
	NOTE_BOOT_DONE,
	NOTE_BOOT_FAILED,
	NOTE_LOCAL_DOWN,
	NOTE_LOCAL_UP,
};

struct link_action {
	enum link_action_kind kind;
	uint64_t ticket;
	uint8_t source;
	struct jid origin, held_for;
	uint64_t session, stream, index, table, snapshot, number, signature, got;
	bool urgent, restart;
	bool later; /* APPLY: the source is a later incarnation of the origin */
	bool whole; /* LINK_MEMBER: its state, too */
	struct bytes cursor; /* borrowed until the next call */
	void *payload; /* stays the machine's, except in LINK_DROP */
	const struct link_state *state; /* borrowed until the next call */
	enum link_note note;
	tide_err code;
	char reason[LINK_REASON_MAX]; /* LINK_NOTE */
};

/** The next thing to do; false: nothing for now. */
bool link_next(struct link *link, uint64_t now, struct link_action *out);

/** When link_next may have something although nothing happened. */
uint64_t link_wake(const struct link *link, uint64_t now);

/** How the links are, for status; round-trip times are the caller's to add. Arrays are in the arena; strings are the machine's. TIDE_NOMEM. */
tide_err link_view(const struct link *link, uint64_t now, struct arena *arena, struct wire_links *out);

/** What must hold after every step; asserts. */
void link_check(const struct link *link);

#endif
