/* What the operations of auto scaling share. For this folder only. */
#ifndef TIDE_API_SCALING_OP_SHARED_H
#define TIDE_API_SCALING_OP_SHARED_H

#include "api/scaling/scaling.h"

extern const char *const scaling_namespaces[], *const scaling_dimensions[];

/* The three that name a target, for shapes. */
#define PARAM_SCALING_NAMESPACE                                                                              \
	{                                                                                                    \
		.name = "ServiceNamespace", .type = PARAM_STRING, .flags = PARAM_REQUIRED,                   \
		.values = scaling_namespaces                                                                 \
	}
#define PARAM_SCALING_RESOURCE(required)                                                                     \
	{                                                                                                    \
		.name = "ResourceId", .type = PARAM_STRING, .flags = required, .min = 1, .max = 1600         \
	}
#define PARAM_SCALING_DIMENSION(required)                                                                    \
	{                                                                                                    \
		.name = "ScalableDimension", .type = PARAM_STRING, .flags = required,                        \
		.values = scaling_dimensions                                                                 \
	}

/** A checked body's namespace, resource and dimension. False: the request is answered. */
bool scaling_read_name(struct request *request, struct bytes *resource, enum scaling_dimension *dimension);

/** A change of the target that the request names, in its arena; NULL: the request is answered. */
struct scaling_change *scaling_change_of(struct request *request);

/** Ask for it to be made; the request is answered, `done` or not. */
void scaling_submit(struct request *request, struct scaling_change *change);

/** "No scalable target registered for ...". */
tide_err scaling_no_target(const struct scaling_change *change, struct tide_error *error);

/** Append a moment in seconds as the service prints it, as a member. */
void scaling_write_moment(struct buf *out, const char *name, uint64_t ms);

/** Append ,"ServiceNamespace":"dynamodb","ResourceId":...,"ScalableDimension":... */
void scaling_write_name(struct buf *out, struct bytes resource, enum scaling_dimension dimension);

/** Append "arn:...:scalable-target/ID". */
void scaling_write_arn(struct buf *out, const struct config *config, struct bytes id);

/** Append the ARN of the service's role, which is the same for all targets. */
void scaling_write_role(struct buf *out, const struct config *config);

/** A configuration of target tracking: a target value and cooldowns that make sense? */
bool scaling_tracking_is_sound(const struct json *tracking);

/**
 * Put the policy into the target: under its name, or, where it has none, under the one that is there or the service's own.
 * TIDE_SCALING_VALIDATION: another one has the metric. TIDE_NOMEM.
 */
tide_err scaling_policy_put(struct scaling_change *change, struct scaling_target *target, struct bytes name,
    const struct json *tracking, struct tide_error *error);

/* --- pages --- */

#define SCALING_PAGE_MAX 50

/* One page of an answer: what is asked for, and how far it has come. */
struct scaling_page {
	struct request *request;
	struct bytes resource; /* empty: any */
	bool has_dimension;
	enum scaling_dimension dimension;
	struct bytes token; /* what the last page ended with */
	bool skipping;
	uint32_t left;
	bool more;
	struct buf last; /* the key of the last one written */
	const struct json *names; /* of an array of names or resources; NULL: all */
};

/** Begin the answer {"MEMBER":[ out of a checked body. False: the request is answered. */
bool scaling_page_begin(
    struct scaling_page *page, struct request *request, const char *member, const char *names);

/** Is this one to be written next? `key` names it among all. False with `more`: the page is full. */
bool scaling_page_takes(struct scaling_page *page, const char *key);

/** Does the page want targets of this name? */
bool scaling_page_wants(
    const struct scaling_page *page, struct bytes resource, enum scaling_dimension dimension);

/** Is the name among those that were asked for? */
bool scaling_page_names(const struct scaling_page *page, struct bytes name);

/** scaling_page_takes of what has that name in a target (a policy, an action), if the name is asked for. */
bool scaling_page_takes_of(struct scaling_page *page, const struct scaling_target *target, struct bytes name);

/** End the answer and send it. */
void scaling_page_end(struct scaling_page *page);

#endif
