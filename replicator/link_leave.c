/* Leaving: the questions of our leaving replicas, put to each staying one, one question at a time. */
#include "replicator/link_priv.h"

#define ROUND_MS 200 /* between two rounds over all that have not said yes */

/* The cursor counts (question, staying region) pairs. */
static bool
pair_at(
    const struct wire_state *state, uint32_t cursor, const struct wire_question **question, uint8_t *region)
{
	for (uint32_t i = 0; i < state->n_questions; i++) {
		if (cursor < state->questions[i].staying.n) {
			*question = &state->questions[i];
			*region = state->questions[i].staying.at[cursor];
			return true;
		}
		cursor -= (uint32_t)state->questions[i].staying.n;
	}
	return false;
}

static bool
next_granted(struct link *link, struct link_action *out)
{
	if (!link->leave_yes || link->granted_asking)
		return false;
	link->granted_asking = true;
	*out = (struct link_action){.kind = LINK_LEAVE_GRANTED,
	    .source = link->leave_region,
	    .table = link->leave_table,
	    .number = link->leave_number,
	    .ticket = ticket_make(TICKET_GRANTED, 0, ++link->generation)};
	return true;
}

bool
link__leave_next(struct link *link, uint64_t now, struct link_action *out)
{
	const struct wire_question *question;
	struct peer *peer;
	uint8_t region;

	if (next_granted(link, out))
		return true;
	if (link->leave_asking || link->leave_yes || now < link->leave_at)
		return false;
	while (pair_at(link->state->state, link->leave_cursor, &question, &region)) {
		link->leave_cursor++;
		peer = link__peer(link, region);
		if (peer == NULL || peer->state != PEER_UP ||
		    link__table(link->state->state, question->table) == NULL)
			continue;
		link->leave_asking = true;
		link->leave_table = question->table;
		link->leave_number = question->number;
		link->leave_region = region;
		*out = (struct link_action){.kind = LINK_LEAVE_ASK,
		    .source = region,
		    .table = question->table,
		    .number = question->number,
		    .state = link->state,
		    .ticket = ticket_make(TICKET_LEAVE, 0, ++link->leave_generation)};
		return true;
	}
	link->leave_cursor = 0;
	link->leave_at = now + ROUND_MS;
	return false;
}

void
link_leave_answer(struct link *link, uint64_t now, uint64_t ticket, bool yes)
{
	(void)now;
	if (ticket_kind(ticket) != TICKET_LEAVE || ticket_generation(ticket) != link->leave_generation ||
	    !link->leave_asking)
		return;
	link->leave_asking = false;
	link->leave_yes = yes;
}
