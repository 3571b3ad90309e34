#include "link_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/shard/shard.h"

#define SESSIONS 64
#define HOLD_MS 100
#define BATCH_RECORDS 5
#define LOST_MS 400

/* A record: what its writer had applied of each other journal. */
struct row {
	uint64_t dep[WORLD_REGIONS + 1];
};

struct region {
	struct link *link;
	uint64_t life; /* of its replicator; what was under way for a former one is dropped */
	uint64_t api_life;
	uint64_t applied[WORLD_REGIONS + 1];
	/* what the endpoint keeps: one stream per origin */
	uint64_t stream[WORLD_REGIONS + 1], next[WORLD_REGIONS + 1];
	bool broken[WORLD_REGIONS + 1];
};

struct session {
	uint64_t id;
	unsigned server, client, origin;
	uint64_t at, index, api_life;
};

struct payload {
	unsigned origin;
	uint64_t base, upto;
};

enum kind {
	ANSWER_STATE,
	ANSWER_HELLO,
	ANSWER_FAILED,
	ANSWER_OPENED,
	ANSWER_RECORDS,
	ANSWER_APPLIED,
	ANSWER_DONE,
	ASK_NEXT,
	ASK_APPLY,
	PEER_EVENT
};

/* Something that will happen to a region. */
struct event {
	struct event *next;
	uint64_t at, order;
	enum kind kind;
	unsigned region, peer;
	uint64_t life, api_life, ticket;
	struct link_state *state;
	tide_err code;
	uint64_t session, held_until;
	bool urgent;
	struct link_batch batch;
	struct wire_applied applied;
	uint64_t stream, index;
	struct payload *payload; /* ASK_APPLY: borrowed */
};

struct world {
	struct world_options options;
	uint64_t random, now, order, shipped, written;
	bool calm;
	struct region region[WORLD_REGIONS + 1];
	struct row *journal[WORLD_REGIONS + 1];
	uint64_t written_by[WORLD_REGIONS + 1];
	bool cut[WORLD_REGIONS + 1][WORLD_REGIONS + 1];
	struct session sessions[SESSIONS];
	uint64_t last_session;
	struct event *events;
};

static uint64_t
draw(struct world *world, uint64_t n)
{
	world->random = world->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return n == 0 ? 0 : (world->random >> 33) % n;
}

static struct jid
id_of(unsigned region)
{
	return jid_make((uint8_t)region, 1, 0);
}

/* --- events --- */

static void
payload_release(void *payload)
{
	free(payload);
}

static void
event_free(struct event *event)
{
	link_state_release(event->state);
	if (event->kind == ANSWER_RECORDS)
		free(event->batch.payload);
	free(event);
}

static struct event *
later(struct world *world, enum kind kind, unsigned region, uint64_t delay)
{
	struct event *event = calloc(1, sizeof *event), **at = &world->events;

	assert_non_null(event);
	event->kind = kind;
	event->region = region;
	event->life = world->region[region].life;
	event->api_life = world->region[region].api_life;
	event->at = world->now + delay;
	event->order = world->order++;
	while (*at != NULL && (*at)->at <= event->at)
		at = &(*at)->next;
	event->next = *at;
	*at = event;
	return event;
}

static uint64_t
network_delay(struct world *world)
{
	return 1 + draw(world, world->options.delay_ms);
}

static bool
lost(struct world *world, unsigned a, unsigned b)
{
	return world->cut[a][b] || (!world->calm && draw(world, 100) < world->options.loss_percent);
}

/* The answer that comes instead of one that was lost. */
static void
fail_later(struct world *world, unsigned region, uint64_t ticket, uint64_t delay, tide_err code)
{
	struct event *event = later(world, ANSWER_FAILED, region, delay);

	event->ticket = ticket;
	event->code = code;
}

/* --- what a region says of itself --- */

static struct link_state *
state_of(struct world *world, unsigned region, unsigned for_peer)
{
	struct vector_entry entries[WORLD_REGIONS];
	struct wire_member members[WORLD_REGIONS];
	struct wire_message message = {0};
	struct wire_table table = {.id = WORLD_TABLE, .state = REPLICA_ACTIVE, .shared = true};
	struct wire_state state = {
	    .id = id_of(region), .nonce = region, .signature = 1, .tables = &table, .n_tables = 1};
	struct link_state *out;
	struct tide_error error;
	struct buf bytes = {0};
	size_t n = 0;

	for (unsigned o = 1; o <= world->options.regions; o++) {
		entries[n++] = (struct vector_entry){
		    id_of(o), {o == region ? world->written_by[o] : world->region[region].applied[o], {0}}};
		if (o != region)
			members[state.n_members++] = (struct wire_member){(uint8_t)o, 1, o, true, false};
	}
	table.vector = (struct vector){entries, n, n};
	table.position = table.vector;
	if (for_peer == 0) {
		state.members = members;
		message.type = WIRE_STATE;
		message.state = state;
	} else {
		state.n_members = 0;
		message.type = WIRE_HELLO;
		message.hello = (struct wire_hello){.from = (uint8_t)region,
		    .to = (uint8_t)for_peer,
		    .id = state.id,
		    .nonce = state.nonce,
		    .known_incarnation = 1,
		    .known_nonce = for_peer,
		    .has_state = true,
		    .state = state};
	}
	assert_int_equal(wire_encode(&message, &bytes), TIDE_OK);
	assert_int_equal(link_state_decode(buf_bytes(&bytes), &out, &error), TIDE_OK);
	buf_fini(&bytes);
	return out;
}

/* --- serving --- */

static struct session *
find_session(struct world *world, uint64_t id)
{
	for (unsigned i = 0; i < SESSIONS; i++)
		if (world->sessions[i].id == id)
			return &world->sessions[i];
	return NULL;
}

static uint64_t
has(const struct world *world, unsigned region, unsigned origin)
{
	return region == origin ? world->written_by[origin] : world->region[region].applied[origin];
}

static void
serve_open(struct world *world, const struct link_action *action, unsigned client)
{
	struct session *session = NULL, *unused = NULL;
	unsigned origin = jid_region(action->origin), server = action->source;
	struct wire_wanted wanted[1];
	struct event *event;

	for (unsigned i = 0; i < SESSIONS; i++) {
		struct session *s = &world->sessions[i];

		if (s->id != 0 && s->server == server && s->client == client && s->origin == origin)
			session = s;
		else if (s->id == 0)
			unused = s;
	}
	session = session != NULL ? session : unused;
	assert_non_null(session);
	*session = (struct session){.id = ++world->last_session,
	    .server = server,
	    .client = client,
	    .origin = origin,
	    .at = link_state_wanted(action->state, action->origin, wanted),
	    .api_life = world->region[server].api_life};
	event = later(world, ANSWER_OPENED, client, 2 * network_delay(world));
	event->ticket = action->ticket;
	event->session = session->id;
}

/* A credit has arrived at the server. */
static void
serve_next(struct world *world, struct event *ask)
{
	struct session *session = find_session(world, ask->session);
	struct payload *payload;
	struct event *event;
	uint64_t top;

	if (session == NULL || session->api_life != world->region[session->server].api_life) {
		fail_later(world, ask->region, ask->ticket, network_delay(world), TIDE_NOTFOUND);
		return;
	}
	top = has(world, session->server, session->origin);
	if (top <= session->at && !ask->urgent && world->now < ask->held_until && session->index > 0) {
		event = later(world, ASK_NEXT, ask->region, 1); /* held */
		event->life = ask->life;
		event->ticket = ask->ticket;
		event->session = ask->session;
		event->held_until = ask->held_until;
		return;
	}
	if (top > session->at + BATCH_RECORDS)
		top = session->at + BATCH_RECORDS;
	if (top < session->at)
		top = session->at;
	payload = malloc(sizeof *payload);
	assert_non_null(payload);
	*payload = (struct payload){session->origin, session->at, top};
	world->shipped += top - session->at;
	if (lost(world, session->server, ask->region)) {
		session->at = top;
		session->index++;
		free(payload);
		fail_later(world, ask->region, ask->ticket, LOST_MS, TIDE_AGAIN);
		return;
	}
	event = later(world, ANSWER_RECORDS, ask->region, network_delay(world));
	event->life = ask->life;
	event->ticket = ask->ticket;
	event->batch = (struct link_batch){.index = session->index++,
	    .n_records = (uint32_t)(top - session->at),
	    .bytes = 100,
	    .at_end = top == has(world, session->server, session->origin),
	    .empty = top == session->at,
	    .upto_seq = top,
	    .behind = has(world, session->server, session->origin) - top,
	    .payload = payload};
	session->at = top;
}

/* --- applying: as the endpoint does it, in the order of the stream --- */

static void
apply(struct world *world, struct event *ask)
{
	struct region *region = &world->region[ask->region];
	const struct payload *payload = ask->payload;
	unsigned o = payload->origin;
	struct event *event = later(world, ANSWER_APPLIED, ask->region, draw(world, 3));

	event->ticket = ask->ticket;
	event->applied = (struct wire_applied){.index = ask->index, .result = TIDE_OK};
	if (ask->stream > region->stream[o]) {
		region->stream[o] = ask->stream;
		region->next[o] = 0;
		region->broken[o] = false;
	}
	/* The machine hands a stream's batches over in order. */
	if (ask->stream == region->stream[o] && !region->broken[o])
		assert_int_equal(ask->index, region->next[o]);
	if (ask->stream < region->stream[o] || region->broken[o]) {
		event->applied.result = TIDE_AGAIN;
		return;
	}
	region->next[o]++;
	if (payload->base > region->applied[o])
		event->applied.result = TIDE_GAP;
	for (uint64_t seq = region->applied[o] + 1; seq <= payload->upto && event->applied.result == TIDE_OK;
	     seq++) {
		const struct row *row = &world->journal[o][seq];

		for (unsigned d = 1; d <= world->options.regions; d++)
			if (d != o && d != ask->region && region->applied[d] < row->dep[d]) {
				event->applied.result = TIDE_HELD;
				event->applied.held_for = id_of(d);
			}
		if (event->applied.result == TIDE_OK)
			region->applied[o] = seq;
	}
	region->broken[o] = event->applied.result != TIDE_OK;
}

/* --- actions --- */

static void
act_remote(struct world *world, unsigned self, const struct link_action *action)
{
	struct event *event;

	if (lost(world, self, action->source)) {
		if (action->kind != LINK_CLOSE)
			fail_later(world, self, action->ticket, LOST_MS, TIDE_AGAIN);
		return;
	}
	switch (action->kind) {
	case LINK_HELLO:
		event = later(world, ANSWER_HELLO, self, 2 * network_delay(world));
		event->ticket = action->ticket;
		event->peer = action->source;
		event->state = state_of(world, action->source, self);
		break;
	case LINK_OPEN:
		serve_open(world, action, self);
		break;
	case LINK_NEXT:
		event = later(world, ASK_NEXT, self, network_delay(world));
		event->ticket = action->ticket;
		event->session = action->session;
		event->urgent = action->urgent;
		event->held_until = event->at + HOLD_MS;
		break;
	case LINK_CLOSE:
		if (find_session(world, action->session) != NULL)
			find_session(world, action->session)->id = 0;
		break;
	default:
		fail_msg("unexpected action %d", action->kind);
	}
}

static void
act(struct world *world, unsigned self, const struct link_action *action)
{
	struct event *event;

	switch (action->kind) {
	case LINK_DROP:
		free(action->payload);
		break;
	case LINK_NOTE:
		break;
	case LINK_ASK_STATE:
		event = later(world, ANSWER_STATE, self, action->signature == 0 ? 1 + draw(world, 2) : 1000);
		event->ticket = action->ticket;
		break;
	case LINK_APPLY:
		event = later(world, ASK_APPLY, self, 1);
		event->ticket = action->ticket;
		event->stream = action->stream;
		event->index = action->index;
		/* The request holds a copy, as the daemon's does. */
		event->payload = malloc(sizeof *event->payload);
		assert_non_null(event->payload);
		*event->payload = *(struct payload *)action->payload;
		assert_int_equal(event->payload->origin, jid_region(action->origin));
		break;
	case LINK_MEMBER:
	case LINK_BOOT:
		event = later(world, ANSWER_DONE, self, 2);
		event->ticket = action->ticket;
		break;
	default:
		act_remote(world, self, action);
	}
}

static void
step(struct world *world, unsigned region)
{
	struct link *link = world->region[region].link;
	struct link_action action;
	unsigned n = 0;

	while (link_next(link, world->now, &action)) {
		act(world, region, &action);
		link_check(link);
		assert_true(++n < 10000);
	}
}

/* --- what happens --- */

static void
happen(struct world *world, struct event *event)
{
	struct region *region = &world->region[event->region];
	struct wire_error error = {.code = event->code};

	switch (event->kind) {
	case ANSWER_STATE:
		link_state_came(region->link, world->now, event->ticket, state_of(world, event->region, 0));
		break;
	case ANSWER_HELLO:
		link_hello_came(region->link, world->now, event->ticket, event->state);
		event->state = NULL;
		break;
	case ANSWER_FAILED:
		link_failed(region->link, world->now, event->ticket, &error);
		break;
	case ANSWER_OPENED:
		link_opened(region->link, world->now, event->ticket, event->session);
		break;
	case ANSWER_RECORDS:
		if (link_records(region->link, world->now, event->ticket, &event->batch))
			event->batch.payload = NULL;
		break;
	case ANSWER_APPLIED:
		link_applied(region->link, world->now, event->ticket, &event->applied);
		break;
	case ANSWER_DONE:
		link_done(region->link, world->now, event->ticket);
		break;
	case ASK_NEXT:
		serve_next(world, event);
		break;
	case ASK_APPLY:
		apply(world, event);
		break;
	case PEER_EVENT:
		/* Whatever it was that changed: the connection breaks, and stands again if the link does. */
		link_peer_down(region->link, world->now, (uint8_t)event->peer);
		if (!world->cut[event->region][event->peer])
			link_peer_up(region->link, world->now, (uint8_t)event->peer);
		break;
	}
}

/* Is there still somebody to whom it can happen? Local questions die with either process. */
static bool
concerns(const struct world *world, const struct event *event)
{
	const struct region *region = &world->region[event->region];
	bool local = event->kind == ANSWER_STATE || event->kind == ANSWER_APPLIED ||
		     event->kind == ANSWER_DONE || event->kind == ASK_APPLY;

	return event->life == region->life && (!local || event->api_life == region->api_life);
}

static void
chaos(struct world *world)
{
	unsigned a = 1 + (unsigned)draw(world, world->options.regions),
		 b = 1 + (unsigned)draw(world, world->options.regions);

	if (world->calm)
		return;
	if (world->options.cuts && a != b && draw(world, 400) == 0)
		world_cut(world, a, b, !world->cut[a][b]);
	if (world->options.crashes && draw(world, 900) == 0)
		world_crash_replicator(world, a);
	if (world->options.crashes && draw(world, 900) == 0)
		world_crash_api(world, a);
}

void
world_run(struct world *world, unsigned ms)
{
	for (uint64_t end = world->now + ms; world->now < end; world->now++) {
		struct event *event;

		chaos(world);
		while ((event = world->events) != NULL && event->at <= world->now) {
			world->events = event->next;
			if (concerns(world, event)) {
				happen(world, event);
				link_check(world->region[event->region].link);
				step(world, event->region);
			}
			if (event->kind == ASK_APPLY)
				free(event->payload);
			event_free(event);
		}
		for (unsigned r = 1; r <= world->options.regions; r++)
			step(world, r);
	}
}

/* --- the world --- */

static void
start_link(struct world *world, unsigned region)
{
	struct link_options options = {.region = (uint8_t)region,
	    .window = world->options.window,
	    .seed = world->options.seed + region + world->now,
	    .hello_ms = 200,
	    .stall_ms = 1500,
	    .retry_ms_min = 10,
	    .retry_ms_max = 200,
	    .held_ms = 20};

	for (unsigned p = 1; p <= world->options.regions; p++)
		if (p != region)
			options.peers[options.n_peers++] = (uint8_t)p;
	world->region[region].link = link_new(&options);
	assert_non_null(world->region[region].link);
	link_local_up(world->region[region].link, world->now);
	for (unsigned p = 1; p <= world->options.regions; p++) {
		struct event *event;

		if (p == region)
			continue;
		event = later(world, PEER_EVENT, region, 1 + draw(world, 20));
		event->peer = p;
	}
}

struct world *
world_new(const struct world_options *options)
{
	struct world *world = calloc(1, sizeof *world);

	assert_non_null(world);
	world->options = *options;
	world->random = options->seed * 2654435761u + 12345;
	world->now = 1000;
	for (unsigned r = 1; r <= options->regions; r++) {
		world->journal[r] = calloc(WORLD_RECORDS + 1, sizeof **world->journal);
		assert_non_null(world->journal[r]);
		world->region[r].life = world->region[r].api_life = 1;
		start_link(world, r);
	}
	return world;
}

void
world_free(struct world *world)
{
	struct event *event;

	while ((event = world->events) != NULL) {
		world->events = event->next;
		if (event->kind == ASK_APPLY)
			free(event->payload);
		event_free(event);
	}
	for (unsigned r = 1; r <= world->options.regions; r++) {
		link_free(world->region[r].link, payload_release);
		free(world->journal[r]);
	}
	free(world);
}

void
world_write(struct world *world, unsigned region)
{
	struct row *row;

	if (world->written_by[region] == WORLD_RECORDS)
		return;
	row = &world->journal[region][++world->written_by[region]];
	memcpy(row->dep, world->region[region].applied, sizeof row->dep);
	world->region[region].applied[region] = world->written_by[region];
	world->written++;
}

void
world_cut(struct world *world, unsigned a, unsigned b, bool cut)
{
	world->cut[a][b] = world->cut[b][a] = cut;
	for (int side = 0; side < 2; side++) {
		struct event *event = later(world, PEER_EVENT, side == 0 ? a : b, draw(world, 30));

		event->peer = side == 0 ? b : a;
	}
}

void
world_crash_replicator(struct world *world, unsigned region)
{
	link_free(world->region[region].link, payload_release);
	world->region[region].life++;
	/* Its streams are numbered anew: the endpoint knows them by the new instance. */
	memset(world->region[region].stream, 0, sizeof world->region[region].stream);
	memset(world->region[region].broken, 0, sizeof world->region[region].broken);
	start_link(world, region);
}

void
world_crash_api(struct world *world, unsigned region)
{
	world->region[region].api_life++;
	memset(world->region[region].stream, 0, sizeof world->region[region].stream);
	link_local_down(world->region[region].link, world->now);
	step(world, region);
	link_local_up(world->region[region].link, world->now);
}

void
world_calm(struct world *world)
{
	world->calm = true;
	for (unsigned a = 1; a <= world->options.regions; a++)
		for (unsigned b = a + 1; b <= world->options.regions; b++)
			if (world->cut[a][b])
				world_cut(world, a, b, false);
}

bool
world_converged(const struct world *world)
{
	for (unsigned r = 1; r <= world->options.regions; r++)
		for (unsigned o = 1; o <= world->options.regions; o++)
			if (world->region[r].applied[o] != world->written_by[o])
				return false;
	return true;
}

uint64_t
world_applied(const struct world *world, unsigned region, unsigned origin)
{
	return world->region[region].applied[origin];
}

uint64_t
world_now(const struct world *world)
{
	return world->now;
}

uint64_t
world_shipped(const struct world *world)
{
	return world->shipped;
}

uint64_t
world_written(const struct world *world)
{
	return world->written;
}

void
world_print(const struct world *world)
{
	for (unsigned r = 1; r <= world->options.regions; r++) {
		struct wire_links view = {0};
		struct arena arena;

		arena_init(&arena, 0);
		assert_int_equal(link_view(world->region[r].link, world->now, &arena, &view), TIDE_OK);
		for (uint32_t i = 0; i < view.n_origins; i++)
			print_error("region %u origin %u: %.*s via %u, applied %llu of %llu, %.*s\n", r,
			    jid_region(view.origins[i].origin), (int)view.origins[i].state.n,
			    (const char *)view.origins[i].state.at, view.origins[i].via,
			    (unsigned long long)world->region[r].applied[jid_region(view.origins[i].origin)],
			    (unsigned long long)world->written_by[jid_region(view.origins[i].origin)],
			    (int)view.origins[i].reason.n, (const char *)view.origins[i].reason.at);
		arena_fini(&arena);
	}
}
