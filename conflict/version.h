/*
 * Who wrote what, when: journal ids, hybrid logical clocks, versions.
 *
 *   clock     48 bits of milliseconds since the Unix epoch, then 16 bits of counter
 *   journal   8 bits of region number, 16 bits of incarnation, 8 bits of shard
 *   version   (clock, journal), compared in that order: total
 *
 * Rules: along one journal the clocks of local writes only grow; a write that has seen another has the greater
 * version. Pure values, no I/O. Source: Kulkarni et al., "Logical Physical Clocks" (2014), and the replication
 * rules in docs/replication.md.
 */
#ifndef TIDE_CONFLICT_VERSION_H
#define TIDE_CONFLICT_VERSION_H

#include <stdbool.h>
#include <stdint.h>

struct hlc {
	uint64_t v;
};

struct jid {
	uint32_t v;
};

struct version {
	struct hlc clock;
	struct jid origin;
};

#define HLC_COUNTER_BITS 16
#define REGION_NUMBER_MAX 255 /* region numbers are 1..255; 0 is nobody */
#define JID_NONE ((struct jid){0})

static inline struct jid
jid_make(uint8_t region, uint16_t incarnation, uint8_t shard)
{
	return (struct jid){(uint32_t)region << 24 | (uint32_t)incarnation << 8 | shard};
}

static inline uint8_t
jid_region(struct jid j)
{
	return (uint8_t)(j.v >> 24);
}

static inline uint16_t
jid_incarnation(struct jid j)
{
	return (uint16_t)(j.v >> 8);
}

static inline uint8_t
jid_shard(struct jid j)
{
	return (uint8_t)j.v;
}

static inline bool
jid_same(struct jid a, struct jid b)
{
	return a.v == b.v;
}

static inline struct hlc
hlc_of_ms(uint64_t ms)
{
	return (struct hlc){ms << HLC_COUNTER_BITS};
}

static inline uint64_t
hlc_ms(struct hlc clock)
{
	return clock.v >> HLC_COUNTER_BITS;
}

/** The clock of the next local event: greater than `last`, and not before the wall clock. */
static inline struct hlc
hlc_tick(struct hlc last, uint64_t wall_ms)
{
	struct hlc wall = hlc_of_ms(wall_ms);

	return last.v >= wall.v ? (struct hlc){last.v + 1} : wall;
}

static inline struct hlc
hlc_max(struct hlc a, struct hlc b)
{
	return a.v > b.v ? a : b;
}

/** <0, 0, >0: by clock, then by journal id. */
static inline int
version_compare(struct version a, struct version b)
{
	if (a.clock.v != b.clock.v)
		return a.clock.v < b.clock.v ? -1 : 1;
	return (a.origin.v > b.origin.v) - (a.origin.v < b.origin.v);
}

#endif
