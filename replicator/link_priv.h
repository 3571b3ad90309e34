/* The machine's insides, shared by its files. See link.h. */
#ifndef TIDE_REPLICATOR_LINK_PRIV_H
#define TIDE_REPLICATOR_LINK_PRIV_H

#include "replicator/link.h"
#include "store/shard/shard.h" /* enum replica_state */

/*
 * A peer:
 *
 *     DOWN -> GREETING -> UP        connected; our hello was answered by a journal that we accept
 *       ^        |  ^      |
 *       |        v  |      |
 *       +----- REFUSED <---+        another protocol, or not the journal that we know under that number: asked again
 */
enum peer_state { PEER_DOWN, PEER_GREETING, PEER_UP, PEER_REFUSED, PEER_STATES };

struct peer {
	uint8_t region;
	enum peer_state state;
	struct link_state *hello; /* its last answer */
	bool asking; /* a hello is under way */
	uint64_t hello_at; /* when to say the next one */
	uint64_t asked_at;
	uint64_t generation;
	bool states; /* what it holds has to be told to our region: a dead journal is not closed yet */
	bool member_wanted, member_asking; /* its hello says something that our region has to write down */
	uint64_t member_at;
	uint64_t retries;
	uint64_t bytes, records; /* since start */
	uint64_t window_at, window_bytes, window_records, bytes_per_second, records_per_second;
	char reason[LINK_REASON_MAX];
};

/*
 * A pull, one per origin journal:
 *
 *     IDLE -> OPENING -> RUNNING -> HELD      nobody to ask; session asked for; batches flow; the head has to wait
 *      ^         |        |  ^-------+
 *      |         v        v
 *      +------- WAIT <----+                   after a failure, for a while
 *     STOPPED                                 forked: until it is dead, or the machine starts again
 */
enum pull_state { PULL_IDLE, PULL_WAIT, PULL_OPENING, PULL_RUNNING, PULL_HELD, PULL_STOPPED, PULL_STATES };

enum slot_state { SLOT_EMPTY, SLOT_FILLED, SLOT_APPLYING, SLOT_DONE };

struct slot {
	enum slot_state state;
	struct link_batch batch;
};

struct pull {
	bool used;
	struct jid origin;
	enum pull_state state;
	struct peer *source;
	bool
	    later; /* the source is a later incarnation of the origin: it has the records from others, as any relay */
	uint64_t generation; /* of the session; in its tickets */
	uint64_t session;
	struct link_state *opened; /* our state when the session was opened */
	uint64_t need_state; /* a state asked for after this many others */
	uint64_t head, sent; /* batches [head, sent) are with the API process; before head all is applied */
	uint32_t in_flight; /* requests for batches */
	uint64_t got; /* batches of this session that have come */
	uint32_t filled; /* slots that are not empty */
	uint32_t applying;
	uint32_t credit; /* requests to keep in flight */
	uint64_t stream, stream_at; /* stream_at: the batch that the stream began with */
	bool broken; /* an apply failed: wait for the others, then decide */
	tide_err why;
	struct jid held_for;
	bool urgent; /* somebody waits for this origin */
	bool stopped_dead; /* STOPPED: and the journal was dead by then */
	uint64_t heard_at, until, held_since;
	uint32_t backoff_ms, held_ms;
	uint8_t avoid; /* a source that failed, until avoid_until */
	uint64_t avoid_until;
	uint64_t idle_since;
	uint64_t spread_since; /* nobody can relay what is left of it */
	uint64_t looked, look_at; /* the news at which sources were last compared */
	uint64_t behind, applied_seq, level_at; /* level_at: when all that the source had was applied */
	char reason[LINK_REASON_MAX];
	struct slot slots[LINK_WINDOW_MAX];
};

/*
 * A bootstrap of one table:
 *
 *     CHOOSE -> LOADING -> (done)      pieces are read one ahead of the one that is being loaded
 *       ^ ^--------+
 *       +- RESTARTING                  the snapshot is gone: what was loaded is forgotten
 */
enum boot_state { BOOT_CHOOSE, BOOT_LOADING, BOOT_RESTARTING, BOOT_STATES };

struct boot_piece {
	bool there, done;
	void *payload;
};

struct boot {
	bool used;
	uint64_t table;
	enum boot_state state;
	struct peer *source;
	uint64_t snapshot, generation;
	uint8_t cursor[LINK_CURSOR_MAX]; /* of the last piece read */
	size_t cursor_n;
	bool reading, read_all, loading, restarting;
	struct boot_piece ahead, current;
	uint64_t until, since, need_state;
	uint32_t backoff_ms;
	uint8_t failed; /* the source that could not be read last */
};

#define DROPS_MAX (LINK_PULLS_MAX * LINK_WINDOW_MAX + 4 * LINK_BOOTS_MAX)
#define NOTES_MAX 32

struct note_line {
	enum link_note note;
	uint8_t source;
	struct jid origin, held_for;
	uint64_t table;
	tide_err code;
	char reason[LINK_REASON_MAX];
};

struct link {
	struct link_options options;
	uint64_t random;
	bool local; /* the API process answers */
	struct link_state *state; /* ours; NULL: not known */
	bool state_asking, state_now; /* state_now: answer at once */
	uint64_t state_at, state_generation, states; /* states: asked for so far */
	struct peer peers[LINK_PEERS_MAX];
	struct pull *pulls; /* LINK_PULLS_MAX */
	struct boot boots[LINK_BOOTS_MAX];
	uint64_t generation, stream; /* last given out */
	uint64_t news; /* changes of what we or peers hold */
	/* leaving: one question at a time */
	bool leave_asking, granted_asking;
	uint64_t leave_at, leave_generation;
	uint32_t leave_cursor;
	uint64_t leave_table, leave_number;
	uint8_t leave_region;
	bool leave_yes;
	/* a table whose journal is gone everywhere */
	uint64_t floor_table, floor_at;
	struct jid floor_origin;
	bool floor_asking;
	void **drops;
	uint32_t n_drops;
	struct note_line notes[NOTES_MAX];
	uint32_t n_notes;
};

enum ticket_kind {
	TICKET_STATE = 1,
	TICKET_HELLO,
	TICKET_MEMBER,
	TICKET_OPEN,
	TICKET_NEXT,
	TICKET_APPLY,
	TICKET_READ,
	TICKET_LOAD,
	TICKET_BOOT,
	TICKET_FLOOR,
	TICKET_LEAVE,
	TICKET_GRANTED,
	TICKET_CLOSE
};

#define TICKET_GENERATION_BITS 48

static inline uint64_t
ticket_make(enum ticket_kind kind, uint32_t slot, uint64_t generation)
{
	return (uint64_t)kind << 56 | (uint64_t)slot << TICKET_GENERATION_BITS |
	       (generation & ((1ULL << TICKET_GENERATION_BITS) - 1));
}

static inline enum ticket_kind
ticket_kind(uint64_t ticket)
{
	return (enum ticket_kind)(ticket >> 56);
}

static inline uint32_t
ticket_slot(uint64_t ticket)
{
	return ticket >> TICKET_GENERATION_BITS & 0xff;
}

static inline uint64_t
ticket_generation(uint64_t ticket)
{
	return ticket & ((1ULL << TICKET_GENERATION_BITS) - 1);
}

/* Is this peer a later incarnation of the origin's region? It began with nothing. */
static inline bool
link__is_later(const struct peer *peer, struct jid origin)
{
	return peer->region == jid_region(origin) && peer->hello != NULL &&
	       jid_incarnation(peer->hello->message.hello.id) > jid_incarnation(origin);
}

/* link.c */
uint64_t link__backoff(
    struct link *link, uint64_t now, uint32_t *backoff_ms); /* when to try again; doubles */
void link__drop(struct link *link, void *payload);
struct note_line *link__note(struct link *link, enum link_note note);
void link__want_state(struct link *link); /* a fresh one, soon */
void link__reason(char to[LINK_REASON_MAX], struct bytes text);

/* link_peer.c */
struct peer *link__peer(struct link *link, uint8_t region);
void link__peer_move(struct peer *peer, enum peer_state to);
void link__hello_soon(struct peer *peer, uint64_t now);
void link__peer_failed(struct link *link, uint64_t now, struct peer *peer, const struct wire_error *error);
void link__peer_judge(struct link *link, uint64_t now, struct peer *peer);
bool link__peer_next(struct link *link, uint64_t now, struct link_action *out);
const struct wire_member *link__member(const struct link *link, uint8_t region);

/* link_pull.c */
void link__pull_close(struct link *link, struct pull *pull, enum pull_state to);
void link__pull_retry(struct link *link, uint64_t now, struct pull *pull, const char *why);
void link__pulls_scan(struct link *link, uint64_t now); /* news of state or hello: which origins are there? */
void link__pull_failed(
    struct link *link, uint64_t now, struct pull *pull, uint64_t ticket, const struct wire_error *error);
bool link__pull_next(struct link *link, uint64_t now, struct pull *pull, struct link_action *out);
bool link__dead(const struct link *link, struct jid origin);
/* Is any journal that we know to be dead not closed, or has the peer heard of a death that we have not? */
bool link__wants_states(const struct link *link, const struct wire_state *theirs);
bool link__closed(const struct link *link, struct jid origin); /* dead, and nobody has more of it than we */
struct pull *link__pull_find(const struct link *link, struct jid origin);

/* link_source.c */
struct peer *link__source(struct link *link, uint64_t now, const struct pull *pull);
uint64_t link__spread(
    const struct link *link, struct jid origin); /* the table to load of it; 0: none has to be */
bool link__has_more(const struct link *link, const struct peer *peer, struct jid origin); /* as a relay */
const struct wire_table *link__table(const struct wire_state *state, uint64_t id);

/* link_boot.c */
void link__boots_scan(struct link *link, uint64_t now);
void link__boot_end(struct link *link, struct boot *boot);
void link__boot_failed(
    struct link *link, uint64_t now, struct boot *boot, uint64_t ticket, const struct wire_error *error);
void link__boot_done(struct link *link, uint64_t now, struct boot *boot, uint64_t ticket);
void link__boot_peer_down(struct link *link, uint64_t now, struct peer *peer);
void link__floor_found(struct link *link, uint64_t now, struct jid origin, uint64_t table);
void link__floor_said(struct link *link, uint64_t now);
bool link__boot_next(struct link *link, uint64_t now, struct boot *boot, struct link_action *out);

/* link_leave.c */
bool link__leave_next(struct link *link, uint64_t now, struct link_action *out);

#endif
