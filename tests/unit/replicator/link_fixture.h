/*
 * A region's link machine with two peers, and the verbs of a story: what happens to it, and what it then wants done. Each verb
 * checks the machine's invariants. Failures end the test.
 */
#ifndef TIDE_TESTS_LINK_FIXTURE_H
#define TIDE_TESTS_LINK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "replicator/link.h"
#include "store/shard/shard.h"

#define US 1
#define EU 2
#define AP 3
#define USER_TABLE 100

struct fixture {
	struct link *link;
	uint64_t now;
	struct link_action last;
};

struct table_line {
	uint64_t id;
	enum replica_state state;
	uint64_t eu, ap; /* what of those journals it has */
	enum table_rejoin rejoin;
};

struct state_of_region {
	uint16_t incarnation;
	uint64_t nonce;
	struct table_line tables[4];
	uint32_t n_tables;
	uint16_t eu_incarnation, ap_incarnation; /* known; 0: nothing */
	uint16_t eu_dead, eu_closed; /* through that incarnation */
	bool eu_lost;
	bool counted;
	struct wire_boot boot; /* of tables in CREATING */
	struct wire_question question; /* table 0: none */
};

/* All three regions know each other; the system tables and one user table are whole. */
extern const struct state_of_region plain;

/* The next action of that kind; notes and drops on the way are passed over, anything else may wait. */
bool wants(struct fixture *f, enum link_action_kind kind);

/* Time goes on. */
void pass(struct fixture *f, uint64_t ms);

/* The API process is asked for its state, and answers. */
void answer_state(struct fixture *f, const struct state_of_region *state);

/* That peer comes up and is greeted, and answers; it knows of no other regions. */
void greet(struct fixture *f, uint8_t region, const struct state_of_region *state);

/* The peer answers the hello that was wanted last; it knows of no other regions. */
void answer_hello(struct fixture *f, const struct state_of_region *state);

/* What was wanted last fails. */
void fail_last(struct fixture *f, tide_err code, uint64_t table);

/* A session with `region` for its own journal, with one batch taken and handed to the API process. */
void run_session(struct fixture *f, uint8_t region);

/* The API process answers the batch it was handed last. */
void apply_answers(struct fixture *f, tide_err result, struct jid held_for);

/* A machine of region US with the peers EU and AP, of which none is up yet. */
int setup(void **state);
int teardown(void **state);

#endif
