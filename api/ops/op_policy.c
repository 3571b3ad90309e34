/* PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy. Policies are kept and given back; nothing is decided by them. */
#include "api/ops/policy.h"

#include <stdio.h>

#include "api/ops/resource_arn.h"
#include "api/ops/table_change.h"
#include "api/ops/table_settings.h"

struct policy_change {
	struct table_change change;
	struct bytes expected; /* ExpectedRevisionId; empty: whatever there is */
	struct bytes text; /* canonical */
	uint64_t revision; /* of the reply; 0: none */
};

#define NOT_FOUND "Resource-based policy not found for the provided ResourceArn: "

/* "NO_POLICY" expects that there is none. */
static tide_err
check_expected(const struct policy_change *policy, const struct table *table, struct tide_error *error)
{
	struct bytes expected = policy->expected;
	char now[24];

	if (expected.n == 0)
		return TIDE_OK;
	snprintf(now, sizeof now, "%llu", (unsigned long long)table->policy_revision);
	if (table->policy.n == 0 && bytes_is(expected, "NO_POLICY"))
		return TIDE_OK;
	if (table->policy.n != 0 && bytes_is(expected, now))
		return TIDE_OK;
	if (table->policy.n == 0)
		return tide_fail(error, TIDE_POLICY_NOT_FOUND,
		    NOT_FOUND "Requested update for policy with revision id %.*s, but table %s has no "
			      "associated policy.",
		    (int)expected.n, (const char *)expected.at, table->name);
	return tide_fail(error, TIDE_POLICY_NOT_FOUND,
	    NOT_FOUND "Requested update for policy with revision id %.*s, but the policy associated to "
		      "target table %s with revision id %s did not match.",
	    (int)expected.n, (const char *)expected.at, table->name, now);
}

/* Each change has a number of its own, in milliseconds as the service's. */
static void
next_revision(struct policy_change *policy, struct table *table)
{
	uint64_t now_ms = table_now_ms(policy->change.request->region);

	table->policy_revision = now_ms > table->policy_revision ? now_ms : table->policy_revision + 1;
	policy->revision = table->policy_revision;
}

static tide_err
apply_put(struct table_change *change, struct group *group, struct table *table, struct tide_error *error)
{
	struct policy_change *policy = (struct policy_change *)change;
	tide_err rc;

	if ((rc = check_expected(policy, table, error)) != TIDE_OK)
		return rc;
	policy->revision = table->policy_revision;
	if (bytes_equal(table->policy, policy->text))
		return TIDE_OK;
	next_revision(policy, table);
	table->policy = policy->text;
	return catalog_write_setting(change->request->region->catalog, group, table, SETTING_POLICY);
}

static tide_err
apply_delete(struct table_change *change, struct group *group, struct table *table, struct tide_error *error)
{
	struct policy_change *policy = (struct policy_change *)change;
	tide_err rc;

	if ((rc = check_expected(policy, table, error)) != TIDE_OK)
		return rc;
	policy->revision = table->policy_revision;
	if (table->policy.n == 0)
		return TIDE_OK;
	table->policy = BYTES_NONE;
	return catalog_write_setting(change->request->region->catalog, group, table, SETTING_POLICY);
}

/* Deleting what never was there has no revision to tell. */
static void
reply_revision(struct table_change *change)
{
	const struct policy_change *policy = (const struct policy_change *)change;
	struct buf *reply = &change->request->reply;

	if (policy->revision == 0)
		buf_append_string(reply, "{}");
	else
		buf_append_format(reply, "{\"RevisionId\":\"%llu\"}", (unsigned long long)policy->revision);
}

#define PARAM_EXPECTED_REVISION                                                                              \
	{                                                                                                    \
		.name = "ExpectedRevisionId", .type = PARAM_STRING, .min = 1, .max = 255                     \
	}

static struct policy_change *
begin(struct request *request)
{
	struct policy_change *policy = arena_calloc(&request->arena, sizeof *policy);

	if (policy == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return NULL;
	}
	policy->change.request = request;
	policy->change.reply = reply_revision;
	policy->expected = params_string(&request->body, "ExpectedRevisionId");
	return policy;
}

static void
submit(struct policy_change *policy)
{
	struct request *request = policy->change.request;
	struct tide_error error;

	policy->change.before = resource_table(request->region, &request->body, RESOURCE_POLICY, &error);
	if (policy->change.before == NULL)
		request_fail(request, &error, NULL);
	else
		table_change_submit(&policy->change);
}

void
op_put_resource_policy(struct request *request)
{
	static const struct param shape[] = {
	    PARAM_RESOURCE_ARN,
	    {.name = "Policy", .type = PARAM_STRING, .flags = PARAM_REQUIRED},
	    PARAM_EXPECTED_REVISION,
	    {.name = "ConfirmRemoveSelfResourceAccess", .type = PARAM_BOOLEAN},
	    PARAMS_END,
	};
	struct policy_change *policy;
	struct tide_error error;

	if (!ops_check(request, shape) || (policy = begin(request)) == NULL)
		return;
	if (policy_read(&request->arena, params_string(&request->body, "Policy"), &policy->text, &error) !=
	    TIDE_OK) {
		request_fail(request, &error, NULL);
		return;
	}
	policy->change.apply = apply_put;
	submit(policy);
}

void
op_delete_resource_policy(struct request *request)
{
	static const struct param shape[] = {PARAM_RESOURCE_ARN, PARAM_EXPECTED_REVISION, PARAMS_END};
	struct policy_change *policy;

	if (!ops_check(request, shape) || (policy = begin(request)) == NULL)
		return;
	policy->change.apply = apply_delete;
	submit(policy);
}

void
op_get_resource_policy(struct request *request)
{
	static const struct param shape[] = {PARAM_RESOURCE_ARN, PARAMS_END};
	struct bytes arn = params_string(&request->body, "ResourceArn");
	struct buf *reply = &request->reply;
	const struct table *table;
	struct tide_error error;
	bool there;

	if (!ops_check(request, shape))
		return;
	table = resource_table(request->region, &request->body, RESOURCE_POLICY, &error);
	if (table == NULL) {
		request_fail(request, &error, NULL);
		return;
	}
	if ((there = table->policy.n != 0)) {
		buf_append_string(reply, "{\"Policy\":");
		json_write_string(reply, table->policy);
		buf_append_format(
		    reply, ",\"RevisionId\":\"%llu\"}", (unsigned long long)table->policy_revision);
	}
	table_release(table);
	if (!there)
		ops_fail(request, TIDE_POLICY_NOT_FOUND, NOT_FOUND "%.*s", (int)arn.n, (const char *)arn.at);
	else if (buf_check(reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}
