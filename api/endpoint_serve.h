/*
 * The endpoint at work in a process: a local socket (replication.endpoint), the threads that do its work, and its clock's ticks.
 */
#ifndef TIDE_API_ENDPOINT_SERVE_H
#define TIDE_API_ENDPOINT_SERVE_H

#include "api/endpoint.h"

struct endpoint_server;

/**
 * Listen and answer. After committer_start and membership_open. TIDE_IO (`error`: the address cannot be bound), TIDE_NOMEM.
 */
tide_err endpoint_serve(
    struct endpoint *endpoint, const char *address, struct endpoint_server **out, struct tide_error *error);

/**
 * Answer nothing more, wait for what is under way. Before committer_stop (what is queued there is waited for). Takes NULL.
 */
void endpoint_serve_stop(struct endpoint_server *server);

/** Release it, with what was not answered. After endpoint_close. Takes NULL. */
void endpoint_serve_close(struct endpoint_server *server);

#endif
