/*
 * The front: where peers' replicators ask us. Each request goes on to our region's API process as it is, and its answer goes
 * back, large payloads compressed on the way. It keeps nothing between two requests.
 *
 * Whoever connects is a stranger until they have said a HELLO that fits: from a region that is a peer by our configuration, to us,
 * of our cluster, and with TLS with a certificate that bears that region's name. Strangers are refused and logged (REPL-STRANGER).
 *
 * Thread: its callbacks run on the server's and the local client's threads.
 */
#ifndef TIDE_REPLICATOR_FRONT_H
#define TIDE_REPLICATOR_FRONT_H

#include "config/config.h"
#include "replicator/wire_client.h"

struct front;
struct tls;

/**
 * Listen at replication.listen. `config`, `local` and `tls` (NULL: without) outlive the front.
 * Errors     TIDE_IO (`error`: it cannot be bound), TIDE_USAGE (an address that cannot be), TIDE_NOMEM.
 */
tide_err front_open(const struct config *config, struct wire_client *local, struct tls *tls,
    struct front **out, struct tide_error *error);

/** Answer nothing more. Waits for our calls of `local`: after wire_client_stop, before wire_client_close of it. Takes NULL. */
void front_close(struct front *front);

struct front_counters {
	uint64_t requests, bytes_plain, bytes_sent; /* since it was opened */
};
struct front_counters front_counters(struct front *front);

#endif
