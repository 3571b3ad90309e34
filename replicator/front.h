/*
 * The front: where peers' replicators ask us. Each request goes on to our region's API process as it is, and its answer goes
 * back, large payloads compressed on the way. It keeps nothing between two requests.
 *
 * Thread: its callbacks run on nng's threads.
 */
#ifndef TIDE_REPLICATOR_FRONT_H
#define TIDE_REPLICATOR_FRONT_H

#include "replicator/client.h"

struct front;

/** Listen at `address`. `local` outlives the front. TIDE_IO (`error`: it cannot be bound), TIDE_NOMEM. */
tide_err front_open(const char *address, struct client *local, struct front **out, struct tide_error *error);

/** Answer nothing more. Waits for our calls of `local`: after client_stop, before client_close of it. Takes NULL. */
void front_close(struct front *front);

struct front_counters {
	uint64_t requests, bytes_plain, bytes_sent; /* since it was opened */
};
struct front_counters front_counters(struct front *front);

#endif
