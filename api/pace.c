#include "api/pace.h"

void
pace_heard(struct pace *pace, uint64_t now, uint64_t got)
{
	uint64_t trip;

	if (got == 0 || got > pace->sent || pace->sent - got >= PACE_SENT_MAX)
		return;
	if (got > pace->heard)
		pace->heard = got;
	trip = now - pace->sent_at[(got - 1) % PACE_SENT_MAX];
	/* The least is the line's; what a request was late for is not. The line may also become longer. */
	if (pace->trip == 0 || trip < pace->trip)
		pace->trip = trip;
	else
		pace->trip += (trip - pace->trip + 63) / 64;
}

void
pace_sent(struct pace *pace, uint64_t now, bool level)
{
	pace->sent_at[pace->sent++ % PACE_SENT_MAX] = now;
	pace->last = now;
	pace->level = level;
}

uint64_t
pace_due(const struct pace *pace, uint64_t waiting)
{
	uint64_t requests = waiting + pace->sent - pace->heard;

	/* Under half a millisecond there is nothing to spread; over it upwards: requests that go too soon bunch at the end. */
	if (!pace->level || requests == 0 || pace->trip * 2 < requests)
		return 0;
	return pace->last + (pace->trip + requests - 1) / requests;
}
