/*
 * A resource policy's document: read with the service's checks of form, and put into one canonical form, so that documents that say the
 * same are the same: no blanks, members in order, lists of one Action or Resource as a string.
 */
#ifndef TIDE_API_OPS_POLICY_H
#define TIDE_API_OPS_POLICY_H

#include "api/json/json.h"

#define POLICY_BYTES_MAX 20480 /* as sent */

/** `*out`: the canonical form, in the arena. TIDE_VALIDATION with the service's sentence; TIDE_NOMEM. Any thread. */
tide_err policy_read(struct arena *arena, struct bytes text, struct bytes *out, struct tide_error *error);

#endif
