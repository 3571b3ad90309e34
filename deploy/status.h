/*
 * What several regions' statuses say together. Pure: `tidemark status` asks, prints and waits; this compares.
 *
 *     converged   every region was reached, and every table has equal vectors in all its replicas, all of them ACTIVE
 *     sound       no two replicas have equal vectors and different fingerprints
 */
#ifndef TIDE_DEPLOY_STATUS_H
#define TIDE_DEPLOY_STATUS_H

#include "api/json/json.h"

/* One region's answer. */
struct report {
	const char *name;
	bool reached;
	const char *why; /* not reached */
	struct json status; /* docs/operations.md, "Status" */
};

/* One table's replica in one region. */
struct row {
	const struct report *report;
	const struct json *table; /* its entry in the region's "tables" */
};

/* One table over all regions that answered. */
struct table_report {
	struct bytes id, name;
	struct row *rows;
	size_t n_rows;
	size_t replicas; /* rows that are not ABSENT */
	bool fingerprinted; /* the conflict log has none: its own conflicts are not resolved by vectors */
	bool converged, sound;
};

/**
 * Put the tables of all reports together, in the order in which they are met: of several regions' built-in tables only those
 * that travel, and none that is ABSENT everywhere. All of it is in `arena` and borrows from the reports. TIDE_NOMEM.
 */
tide_err status_compare(struct arena *arena, const struct report *reports, size_t n,
    struct table_report **tables, size_t *n_tables);

bool status_converged(
    const struct report *reports, size_t n, const struct table_report *tables, size_t n_tables);
bool status_sound(const struct table_report *tables, size_t n_tables);

#endif
