/*
 * The endpoint: where the API process answers its region's replicator, and `tidemark status`, over a local nng socket
 * (replication.endpoint). Messages: replicator/wire.h. It reads the journal for peers, keeps their sessions and
 * snapshots, and puts what they send on the committer's queue.
 *
 * `tidemark status` asks by status_ask (replicator/ask.h) and gets one JSON document.
 *
 * Threads: its own. Everything it holds is bounded: sessions, snapshots, streams and held requests.
 */
#ifndef TIDE_API_ENDPOINT_H
#define TIDE_API_ENDPOINT_H

#include "api/region.h"

struct endpoint;

/**
 * Before committer_start: register what wakes held requests on a commit. Until endpoint_start nothing is answered.
 * TIDE_NOMEM.
 */
tide_err endpoint_open(struct region *region, struct endpoint **out, struct tide_error *error);

/** Listen and answer. After committer_start and membership_open. TIDE_IO (`error`: the address cannot be bound), TIDE_NOMEM. */
tide_err endpoint_start(struct endpoint *endpoint, struct tide_error *error);

/**
 * Answer nothing more, wait for what is under way. Before committer_stop (what is queued there is waited for). Takes NULL, and one
 * that was never started.
 */
void endpoint_stop(struct endpoint *endpoint);

/** Release it. After committer_stop. Takes NULL. */
void endpoint_close(struct endpoint *endpoint);

#endif
