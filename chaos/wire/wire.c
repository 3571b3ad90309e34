/*
 * tidemark-wire: the cable between network namespaces. A switch in user space that delays, loses, doubles, reorders, damages and
 * throttles frames, per direction between any two of its ports, and cuts them: what tc's netem does where the kernel has it, the
 * same on every kernel, and per pair.
 *
 *     tidemark-wire PORT...      forward frames between these interfaces of this namespace until stdin ends
 *     tidemark-wire --plain DEV  let DEV send plain frames: no segmentation offload, checksums filled in
 *
 * Commands on stdin, one per line; answers "ok" or "error: ..." on stdout. A and B are ports or `*`; from A to B only:
 *
 *     set A B [delay=MS] [jitter=MS] [loss=%] [duplicate=%] [reorder=%] [corrupt=%] [tamper=%] [rate=KBIT] [mtu=BYTES]
 *                 (corrupt: a bit is flipped, which TCP's checksum finds; tamper: in TCP's payload, with the checksum made to fit)
 *     cut A B
 *     heal A B        takes back the cut; what was set stays
 *     forget A B      TCP connections that are open now never pass again, and neither end is told: half-open; new ones pass
 *     seed=N          chance begins anew from N
 *
 * What is set replaces what was set before; what is not named is 0 (off).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORTS_MAX 16
#define FRAME_MAX 65536
#define WAITING_MAX 400000 /* frames on their way; more are lost, as on a real line */
#define FLOWS_MAX 4096
#define BURST 64 /* frames of one port before the others have their turn */

struct rule {
	bool cut;
	double delay_ms, jitter_ms, loss, duplicate, reorder, corrupt, tamper, rate_kbit;
	uint32_t mtu;
	uint64_t free_us; /* with a rate: when the line can take the next frame */
	uint64_t last_us; /* when the last frame comes out: jitter does not reorder, `reorder` does */
	uint64_t forgotten; /* connections opened before this moment pass no more; 0: all pass */
};

/* A TCP connection in one direction, by its first packet (SYN); a slot that is taken goes to the newer one. */
struct flow {
	uint32_t from, to;
	uint16_t from_port, to_port;
	uint64_t opened;
};

struct port {
	const char *name;
	int fd;
	uint8_t host[ETH_ALEN]; /* who is behind it, once heard */
	bool known;
};

struct frame {
	uint64_t due_us, number;
	uint8_t to;
	uint32_t n;
	uint8_t bytes[];
};

static struct port ports[PORTS_MAX];
static unsigned n_ports;
static struct rule rules[PORTS_MAX][PORTS_MAX]; /* from, to */
static struct frame **heap;
static size_t n_heap;
static struct flow flows[FLOWS_MAX];
static uint64_t numbers, moments, state = 0x9e3779b97f4a7c15ULL;

static uint64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t
draw(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static bool
happens(double percent)
{
	return percent > 0 && (double)(draw() % 1000000) < percent * 10000;
}

/* --- frames on their way, the one that is due first on top --- */

static bool
before(const struct frame *a, const struct frame *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->number < b->number;
}

static void
push(struct frame *frame)
{
	size_t i = n_heap++;

	for (; i > 0 && before(frame, heap[(i - 1) / 2]); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = frame;
}

static struct frame *
pop(void)
{
	struct frame *top = heap[0], *last = heap[--n_heap];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < n_heap) {
		if (child + 1 < n_heap && before(heap[child + 1], heap[child]))
			child++;
		if (!before(heap[child], last))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = last;
	return top;
}

/* --- forwarding --- */

/* Where TCP's payload begins in an IPv4 frame; 0: there is none. */
static uint32_t
payload_of(const uint8_t *bytes, uint32_t n)
{
	const uint8_t *ip = bytes + ETH_HLEN;
	uint32_t head, at;

	if (n < ETH_HLEN + 40 || bytes[12] != 8 || bytes[13] != 0 || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
		return 0;
	head = (ip[0] & 15u) * 4;
	if (head < 20 || n < ETH_HLEN + head + 20)
		return 0;
	at = ETH_HLEN + head + (ip[head + 12] >> 4) * 4u;
	return at < n ? at : 0;
}

/* Flip a bit and have the checksum agree (RFC 1624, equation 3). */
static void
tamper(uint8_t *bytes, uint32_t n)
{
	uint32_t payload = payload_of(bytes, n), tcp, at, sum;
	uint8_t bit;

	if (payload == 0)
		return;
	tcp = ETH_HLEN + (bytes[ETH_HLEN] & 15u) * 4;
	at = payload + draw() % (n - payload);
	bit = (uint8_t)(1u << draw() % 8);
	/* ~(~old sum + ~old word + new word): which half of a word the byte is depends on where TCP begins. */
	sum = (uint32_t)(uint16_t) ~(bytes[tcp + 16] << 8 | bytes[tcp + 17]);
	if ((at - tcp) % 2 == 0)
		sum += (uint32_t)(uint16_t) ~(bytes[at] << 8) + (uint32_t)((bytes[at] ^ bit) << 8);
	else
		sum += (uint32_t)(uint16_t)~bytes[at] + (uint32_t)(bytes[at] ^ bit);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	bytes[tcp + 16] = (uint8_t)(~sum >> 8);
	bytes[tcp + 17] = (uint8_t)~sum;
	bytes[at] ^= bit;
}

static void
wait_for(struct rule *rule, uint8_t to, const uint8_t *bytes, uint32_t n, uint64_t due_us)
{
	struct frame *frame;

	if (n_heap == WAITING_MAX || (frame = malloc(sizeof *frame + n)) == NULL)
		return;
	*frame = (struct frame){.due_us = due_us, .number = numbers++, .to = to, .n = n};
	memcpy(frame->bytes, bytes, n);
	/* Beyond the head: what is damaged has to get there. */
	if (happens(rule->corrupt) && n > ETH_HLEN + 20)
		frame->bytes[ETH_HLEN + 20 + draw() % (n - ETH_HLEN - 20)] ^= (uint8_t)(1u << draw() % 8);
	if (happens(rule->tamper))
		tamper(frame->bytes, n);
	push(frame);
}

/* Of an IPv4 TCP frame: when its connection was opened, counted in SYNs and `forget`s; other frames are always new. */
static uint64_t
opened(const uint8_t *bytes, uint32_t n)
{
	const uint8_t *ip = bytes + ETH_HLEN, *tcp;
	struct flow flow = {0}, *slot;
	uint32_t head;

	if (n < ETH_HLEN + 40 || bytes[12] != 8 || bytes[13] != 0 || ip[0] >> 4 != 4 || ip[9] != IPPROTO_TCP)
		return UINT64_MAX;
	head = (ip[0] & 15u) * 4;
	if (head < 20 || n < ETH_HLEN + head + 20)
		return UINT64_MAX;
	tcp = ip + head;
	memcpy(&flow.from, ip + 12, 4);
	memcpy(&flow.to, ip + 16, 4);
	memcpy(&flow.from_port, tcp, 2);
	memcpy(&flow.to_port, tcp + 2, 2);
	slot = &flows[((flow.from ^ flow.to * 31u) * 2654435761u ^
			  (flow.from_port * 40503u + flow.to_port * 2246822519u)) %
		      FLOWS_MAX];
	if (tcp[13] & 2) { /* SYN: the connection begins here */
		flow.opened = ++moments;
		*slot = flow;
		return flow.opened;
	}
	if (slot->from != flow.from || slot->to != flow.to || slot->from_port != flow.from_port ||
	    slot->to_port != flow.to_port)
		return 0;
	return slot->opened;
}

static void
forward(uint8_t from, uint8_t to, const uint8_t *bytes, uint32_t n, uint64_t now)
{
	struct rule *rule = &rules[from][to];
	uint64_t due = now, born = opened(bytes, n);

	if (born < rule->forgotten || rule->cut || happens(rule->loss) ||
	    (rule->mtu > 0 && n > rule->mtu + ETH_HLEN))
		return;
	if (rule->rate_kbit > 0) {
		if (rule->free_us < now)
			rule->free_us = now;
		/* A queue of a second: what comes on top of it is lost. */
		if (rule->free_us > now + 1000000)
			return;
		rule->free_us += (uint64_t)((double)n * 8000 / rule->rate_kbit);
		due = rule->free_us;
	}
	if (!happens(rule->reorder)) {
		due += (uint64_t)(rule->delay_ms * 1000);
		if (rule->jitter_ms > 0)
			due += draw() % (uint64_t)(rule->jitter_ms * 1000 + 1);
		if (due < rule->last_us)
			due = rule->last_us;
		rule->last_us = due;
	}
	wait_for(rule, to, bytes, n, due);
	if (happens(rule->duplicate))
		wait_for(rule, to, bytes, n, due);
}

static void
switch_frame(uint8_t from, const uint8_t *bytes, uint32_t n, uint64_t now)
{
	if (n < ETH_HLEN)
		return;
	if (!(bytes[ETH_ALEN] & 1)) {
		memcpy(ports[from].host, bytes + ETH_ALEN, ETH_ALEN);
		ports[from].known = true;
	}
	for (uint8_t to = 0; to < n_ports; to++) {
		bool theirs = ports[to].known && memcmp(ports[to].host, bytes, ETH_ALEN) == 0;

		if (to != from && (theirs || (bytes[0] & 1) || !ports[to].known))
			forward(from, to, bytes, n, now);
	}
}

static void
receive(uint8_t from)
{
	static uint8_t bytes[FRAME_MAX];

	for (int i = 0; i < BURST; i++) {
		struct sockaddr_ll who;
		socklen_t length = sizeof who;
		ssize_t n = recvfrom(
		    ports[from].fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&who, &length);

		if (n < 0)
			return;
		if (who.sll_pkttype != PACKET_OUTGOING)
			switch_frame(from, bytes, (uint32_t)n, now_us());
	}
}

static void
deliver(void)
{
	while (n_heap > 0 && heap[0]->due_us <= now_us()) {
		struct frame *frame = pop();

		/* A full queue or an interface that is down: lost, as on a real line. */
		if (send(ports[frame->to].fd, frame->bytes, frame->n, 0) < 0 && errno == EBADF)
			exit(1);
		free(frame);
	}
}

/* --- commands --- */

static int
port_of(const char *name)
{
	if (name != NULL && strcmp(name, "*") == 0)
		return PORTS_MAX;
	for (unsigned i = 0; name != NULL && i < n_ports; i++)
		if (strcmp(ports[i].name, name) == 0)
			return (int)i;
	return -1;
}

static const char *
parse(struct rule *rule, char **save)
{
	char *word, *end;

	while ((word = strtok_r(NULL, " \n", save)) != NULL) {
		char *equal = strchr(word, '=');
		double value = equal == NULL ? 0 : strtod(equal + 1, &end);

		if (equal == NULL || *end != '\0' || end == equal + 1 || value < 0)
			return "NAME=NUMBER expected";
		*equal = '\0';
		if (strcmp(word, "delay") == 0)
			rule->delay_ms = value;
		else if (strcmp(word, "jitter") == 0)
			rule->jitter_ms = value;
		else if (strcmp(word, "loss") == 0)
			rule->loss = value;
		else if (strcmp(word, "duplicate") == 0)
			rule->duplicate = value;
		else if (strcmp(word, "reorder") == 0)
			rule->reorder = value;
		else if (strcmp(word, "corrupt") == 0)
			rule->corrupt = value;
		else if (strcmp(word, "tamper") == 0)
			rule->tamper = value;
		else if (strcmp(word, "rate") == 0)
			rule->rate_kbit = value;
		else if (strcmp(word, "mtu") == 0)
			rule->mtu = (uint32_t)value;
		else
			return "no such setting";
	}
	return NULL;
}

static const char *
command(char *line)
{
	char *save, *verb = strtok_r(line, " \n", &save);
	int from = port_of(strtok_r(NULL, " \n", &save)), to = port_of(strtok_r(NULL, " \n", &save));
	struct rule rule = {0};
	const char *wrong;

	if (verb != NULL && strncmp(verb, "seed=", 5) == 0) {
		state = strtoull(verb + 5, NULL, 10) * 0x9e3779b97f4a7c15ULL | 1;
		return NULL;
	}
	if (verb == NULL || from < 0 || to < 0)
		return "VERB A B expected";
	if (strcmp(verb, "set") != 0 && strcmp(verb, "cut") != 0 && strcmp(verb, "heal") != 0 &&
	    strcmp(verb, "forget") != 0)
		return "no such command";
	if ((wrong = parse(&rule, &save)) != NULL)
		return wrong;
	for (int f = 0; f < (int)n_ports; f++)
		for (int t = 0; t < (int)n_ports; t++) {
			if ((from != PORTS_MAX && from != f) || (to != PORTS_MAX && to != t) || f == t)
				continue;
			if (strcmp(verb, "set") == 0) {
				rule.cut = rules[f][t].cut;
				rule.forgotten = rules[f][t].forgotten;
				rules[f][t] = rule;
			} else if (verb[0] == 'f')
				rules[f][t].forgotten = ++moments;
			else
				rules[f][t].cut = verb[0] == 'c';
		}
	return NULL;
}

/* False: stdin has ended. */
static bool
read_commands(void)
{
	static char line[4096];
	static size_t n;
	ssize_t got = read(STDIN_FILENO, line + n, sizeof line - 1 - n);
	char *end;

	if (got <= 0)
		return false;
	n += (size_t)got;
	line[n] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		const char *wrong;

		*end = '\0';
		wrong = command(line);
		printf(wrong == NULL ? "ok\n" : "error: %s\n", wrong);
		fflush(stdout);
		n -= (size_t)(end + 1 - line);
		memmove(line, end + 1, n + 1);
	}
	return n < sizeof line - 1;
}

/* --- opening --- */

static int
open_port(const char *name)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
	    .sll_protocol = htons(ETH_P_ALL),
	    .sll_ifindex = (int)if_nametoindex(name)};
	struct packet_mreq all = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), room = 16 << 20;

	if (fd < 0 || at.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&at, sizeof at) != 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0) {
		fprintf(stderr, "tidemark-wire: %s: %s\n", name,
		    at.sll_ifindex == 0 ? "no such interface" : strerror(errno));
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
	return fd;
}

/* The kernel hands segments of 64 KB from interface to interface, without checksums, where both ends are its own. */
static int
make_plain(const char *name)
{
	static const uint32_t off[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM};
	struct ethtool_value value = {0};
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), failed = fd < 0;

	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
	request.ifr_data = (void *)&value;
	for (size_t i = 0; i < sizeof off / sizeof *off && !failed; i++) {
		value.cmd = off[i];
		failed = ioctl(fd, SIOCETHTOOL, &request) != 0;
	}
	if (failed)
		fprintf(stderr, "tidemark-wire: %s: %s\n", name, strerror(errno));
	close(fd);
	return failed;
}

static void
run(void)
{
	struct pollfd fds[PORTS_MAX + 1] = {{.fd = STDIN_FILENO, .events = POLLIN}};

	for (unsigned i = 0; i < n_ports; i++)
		fds[i + 1] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
	for (;;) {
		struct timespec pause = {.tv_sec = 1};
		uint64_t now = now_us(), wait;

		if (n_heap > 0) {
			wait = heap[0]->due_us > now ? heap[0]->due_us - now : 0;
			if (wait < 1000000)
				pause = (struct timespec){.tv_nsec = (long)wait * 1000};
		}
		if (ppoll(fds, n_ports + 1, &pause, NULL) < 0 && errno != EINTR)
			exit(1);
		if (fds[0].revents != 0 && !read_commands())
			return;
		for (unsigned i = 0; i < n_ports; i++)
			if (fds[i + 1].revents != 0)
				receive((uint8_t)i);
		deliver();
	}
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--plain") == 0)
		return make_plain(argv[2]);
	if (argc < 3 || argc - 1 > PORTS_MAX || argv[1][0] == '-') {
		fprintf(stderr, "usage: tidemark-wire PORT PORT... | --plain DEV\n");
		return 2;
	}
	if ((heap = malloc(WAITING_MAX * sizeof *heap)) == NULL)
		return 1;
	state ^= now_us();
	for (; n_ports < (unsigned)argc - 1; n_ports++) {
		ports[n_ports].name = argv[n_ports + 1];
		if ((ports[n_ports].fd = open_port(ports[n_ports].name)) < 0)
			return 1;
	}
	printf("ready\n");
	fflush(stdout);
	run();
	return 0;
}
