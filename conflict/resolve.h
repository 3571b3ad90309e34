/*
 * The resolver: what happens when a record meets what is stored. Pure.
 *
 *   no stored version                      RESOLVE_FORWARD   apply
 *   the writer had seen the stored version RESOLVE_FORWARD   apply: its version is greater
 *   else the greater version stays         RESOLVE_WINS      apply, log the stored one as lost
 *                                          RESOLVE_LOSES     keep,  log the incoming one as lost
 */
#ifndef TIDE_CONFLICT_RESOLVE_H
#define TIDE_CONFLICT_RESOLVE_H

#include "conflict/vector.h"

enum resolution { RESOLVE_FORWARD, RESOLVE_WINS, RESOLVE_LOSES };

/**
 * Last writer wins between a stored version and an incoming one.
 *
 * `seen` is the vector of the incoming record's unit (what its writer had applied before it); a version of the
 * unit's own journal counts as seen. `stored` NULL: the key has neither an item nor a tombstone.
 *
 * Thread     any; pure.
 */
enum resolution resolve_last_writer_wins(
    const struct version *stored, struct version incoming, const struct vector *seen);

#endif
