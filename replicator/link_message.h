/*
 * Between the machine and the wire: an action becomes the message that asks for it, an answer's bytes become what happened. No
 * socket and no clock, so that whoever carries the messages, the daemon or a simulator, says and hears the same.
 *
 * Thread: the machine's.
 */
#ifndef TIDE_REPLICATOR_LINK_MESSAGE_H
#define TIDE_REPLICATOR_LINK_MESSAGE_H

#include "base/log.h"
#include "replicator/link.h"

/* Who asks. Zeroed but for the first six; release with link_asker_fini. */
struct link_asker {
	const struct link *link; /* the machine that the actions come from */
	uint8_t region;
	const char *name; /* the region's; borrowed */
	const char *cluster; /* borrowed; NULL: not said, as nobody would refuse us for it */
	uint64_t instance; /* tells the lives of a replicator apart */
	uint64_t batch_bytes;
	uint64_t wall_ms; /* the real-time clock at a LINK_HELLO; 0: it is not said */
	struct wire_wanted *wanted; /* scratch: room for all tables of a state */
	uint64_t *tables;
	uint32_t room;
};
void link_asker_fini(struct link_asker *asker);

struct link_request {
	struct wire_message message; /* borrows from the action, the asker and `plain`: until the next one */
	struct buf plain; /* what was compressed */
	uint32_t ms_max; /* how long its answer may take */
	uint8_t to; /* region number of a peer; 0: our own API process */
};

/**
 * The request for an action that has a ticket or is LINK_CLOSE (any but LINK_DROP and LINK_NOTE). Release it with
 * link_request_fini, whatever happens. TIDE_NOMEM, TIDE_CORRUPT (a batch that cannot be unpacked): it failed, tell link_message_failed.
 */
tide_err link_message_ask(struct link_asker *asker, const struct link_action *action,
    struct link_request *out, struct tide_error *error);
void link_request_fini(struct link_request *request);

/* An answer as it came, with the memory that it is in. */
struct link_raw {
	struct bytes bytes;
	void *memory; /* NULL afterwards: it was taken over, and is released by `release` */
	void (*release)(void *memory);
};

/** An answer came: tell the machine. What kind it was; WIRE_TYPES_N: it could not be read. */
enum wire_type link_message_came(struct link *link, uint64_t now, uint64_t ticket, struct link_raw *raw);

/** Requests without an answer, for whatever reason. */
void link_message_failed(struct link *link, uint64_t now, uint64_t ticket, tide_err code, const char *text);

/** A payload that the machine gave back (LINK_DROP, link_free). Takes NULL. */
void link_payload_free(void *payload);

/** The log line of a LINK_NOTE: its id; `out` gets "key=value" pairs, `name` gives regions' names. */
const char *link_message_note(const struct link_action *action,
    const char *(*name)(void *arg, uint8_t region), void *arg, enum log_level *level, struct buf *out);

/** May a peer's replicator ask that of us? */
bool link_message_for_peers(enum wire_type type);

/** A large answer, smaller. False: it is not worth it, cannot be, or there is no memory: send it as it is. */
bool link_message_compress(struct bytes answer, struct buf *out);

#endif
