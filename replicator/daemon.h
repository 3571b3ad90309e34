/*
 * The replicator: the link state machine (link.h) with what it needs around it: a clock, sockets, one thread.
 *
 *     client (local)    our region's API process        front    peers ask us; passed on to the API process
 *     client per peer   its replicator                  daemon   one thread: answers in, machine, actions out
 *
 * It keeps nothing on disk and may be killed at any time.
 */
#ifndef TIDE_REPLICATOR_DAEMON_H
#define TIDE_REPLICATOR_DAEMON_H

#include "config/config.h"

struct daemon;

/** Start it. Connecting is patient: neither the API process nor peers need to be there. TIDE_IO, TIDE_NOMEM. */
tide_err daemon_start(const struct config *config, struct daemon **out, struct tide_error *error);

/** End its thread and its connections. Takes NULL. */
void daemon_stop(struct daemon *daemon);

#endif
