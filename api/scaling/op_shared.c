#include "api/scaling/op_shared.h"

#include <stdio.h>

#include "api/membership.h"

const char *const scaling_namespaces[] = {"cassandra", "dynamodb", "lambda", "rds", "sagemaker", "kafka",
    "elasticache", "ecs", "workspaces", "appstream", "comprehend", "neptune", "ec2", "custom-resource",
    "elasticmapreduce", NULL};
const char *const scaling_dimensions[] = {"ecs:service:DesiredCount", "ec2:spot-fleet-request:TargetCapacity",
    "elasticmapreduce:instancegroup:InstanceCount", "appstream:fleet:DesiredCapacity",
    "dynamodb:table:ReadCapacityUnits", "dynamodb:table:WriteCapacityUnits",
    "dynamodb:index:ReadCapacityUnits", "dynamodb:index:WriteCapacityUnits", "rds:cluster:ReadReplicaCount",
    "sagemaker:variant:DesiredInstanceCount", "custom-resource:ResourceType:Property",
    "comprehend:document-classifier-endpoint:DesiredInferenceUnits",
    "comprehend:entity-recognizer-endpoint:DesiredInferenceUnits", "lambda:function:ProvisionedConcurrency",
    "cassandra:table:ReadCapacityUnits", "cassandra:table:WriteCapacityUnits",
    "kafka:broker-storage:VolumeSize", "elasticache:cache-cluster:Nodes",
    "elasticache:replication-group:NodeGroups", "elasticache:replication-group:Replicas",
    "neptune:cluster:ReadReplicaCount", "sagemaker:variant:DesiredProvisionedConcurrency",
    "sagemaker:inference-component:DesiredCopyCount", "workspaces:workspacespool:DesiredUserSessions", NULL};

#define UNSUPPORTED "Unsupported service namespace, resource type or scalable dimension"

bool
scaling_read_name(struct request *request, struct bytes *resource, enum scaling_dimension *dimension)
{
	const struct json *body = &request->body;
	struct bytes table, index;
	bool of_index;

	*resource = params_string(body, "ResourceId");
	if (request->region->scaling == NULL ||
	    !bytes_is(params_string(body, "ServiceNamespace"), "dynamodb") ||
	    !scaling_dimension_parse(params_string(body, "ScalableDimension"), dimension)) {
		ops_fail(request, TIDE_SCALING_VALIDATION, UNSUPPORTED);
		return false;
	}
	of_index = *dimension == SCALING_INDEX_READ || *dimension == SCALING_INDEX_WRITE;
	if (!scaling_resource_split(*resource, &table, &index) || of_index != (index.n != 0) ||
	    table.n > TABLE_NAME_MAX || index.n > TABLE_NAME_MAX) {
		ops_fail(request, TIDE_SCALING_VALIDATION, UNSUPPORTED);
		return false;
	}
	return true;
}

struct scaling_change *
scaling_change_of(struct request *request)
{
	struct scaling_change *change = arena_calloc(&request->arena, sizeof *change);

	if (change == NULL) {
		ops_fail(request, TIDE_NOMEM, NULL);
		return NULL;
	}
	change->region = request->region;
	change->arena = &request->arena;
	change->arg = request;
	return scaling_read_name(request, &change->resource, &change->dimension) ? change : NULL;
}

/* The reply was written by `apply`, on the committer's thread. */
static void
answer(struct scaling_change *change, const struct tide_error *error)
{
	struct request *request = change->arg;

	if (error->code != TIDE_OK)
		request_fail(request, error, NULL);
	else if (buf_check(&request->reply) == TIDE_OK)
		request_ok(request);
	else
		ops_fail(request, TIDE_NOMEM, NULL);
}

void
scaling_submit(struct request *request, struct scaling_change *change)
{
	if (!region_may_write(request->region)) {
		ops_fail(request, TIDE_UNAVAILABLE, NULL);
		return;
	}
	change->done = answer;
	scaling_change_submit(change);
}

tide_err
scaling_no_target(const struct scaling_change *change, struct tide_error *error)
{
	return tide_fail(error, TIDE_SCALING_NOT_FOUND,
	    "No scalable target registered for service namespace: dynamodb, resource ID: %.*s, scalable "
	    "dimension: %s",
	    (int)change->resource.n, (const char *)change->resource.at,
	    scaling_dimension_name(change->dimension));
}

void
scaling_write_moment(struct buf *out, const char *name, uint64_t ms)
{
	buf_append_format(out, ",\"%s\":%llu.%03llu", name, (unsigned long long)(ms / 1000),
	    (unsigned long long)(ms % 1000));
}

void
scaling_write_name(struct buf *out, struct bytes resource, enum scaling_dimension dimension)
{
	buf_append_string(out, ",\"ServiceNamespace\":\"dynamodb\",\"ResourceId\":");
	json_write_string(out, resource);
	buf_append_format(out, ",\"ScalableDimension\":\"%s\"", scaling_dimension_name(dimension));
}

void
scaling_write_arn(struct buf *out, const struct config *config, struct bytes id)
{
	buf_append_format(out, "arn:aws:application-autoscaling:%s:%s:scalable-target/%.*s", config->region,
	    config->account, (int)id.n, (const char *)id.at);
}

#define ROLE                                                                                                 \
	"arn:aws:iam::%s:role/aws-service-role/dynamodb.application-autoscaling.amazonaws.com/"              \
	"AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"

void
scaling_write_role(struct buf *out, const struct config *config)
{
	buf_append_format(out, ROLE, config->account);
}

/* --- pages --- */

bool
scaling_page_begin(struct scaling_page *page, struct request *request, const char *member, const char *names)
{
	const struct json *body = &request->body;
	struct bytes dimension = params_string(body, "ScalableDimension");
	int64_t most = params_number(body, "MaxResults", SCALING_PAGE_MAX);

	*page = (struct scaling_page){.request = request,
	    .resource = params_string(body, "ResourceId"),
	    .token = params_string(body, "NextToken"),
	    .left = most < 1 || most > SCALING_PAGE_MAX ? SCALING_PAGE_MAX : (uint32_t)most,
	    .names = json_get(body, names)};
	page->skipping = page->token.n != 0;
	page->has_dimension = dimension.n != 0;
	if (request->region->scaling == NULL ||
	    !bytes_is(params_string(body, "ServiceNamespace"), "dynamodb") ||
	    (page->has_dimension && !scaling_dimension_parse(dimension, &page->dimension))) {
		ops_fail(request, TIDE_SCALING_VALIDATION, UNSUPPORTED);
		return false;
	}
	buf_append_format(&request->reply, "{\"%s\":[", member);
	return true;
}

bool
scaling_page_takes(struct scaling_page *page, const char *key)
{
	struct buf *reply = &page->request->reply;

	if (page->skipping) {
		page->skipping = !bytes_is(page->token, key);
		return false;
	}
	if (page->left == 0) {
		page->more = true;
		return false;
	}
	page->left--;
	buf_clear(&page->last);
	buf_append_string(&page->last, key);
	if (reply->at != NULL && reply->at[reply->n - 1] != '[')
		buf_append_byte(reply, ',');
	return true;
}

bool
scaling_page_wants(const struct scaling_page *page, struct bytes resource, enum scaling_dimension dimension)
{
	return (page->resource.n == 0 || bytes_equal(page->resource, resource)) &&
	       (!page->has_dimension || page->dimension == dimension);
}

bool
scaling_page_names(const struct scaling_page *page, struct bytes name)
{
	if (page->names == NULL)
		return true;
	for (uint32_t i = 0; i < page->names->array.n; i++)
		if (bytes_equal(page->names->array.at[i].text, name))
			return true;
	return false;
}

bool
scaling_page_takes_of(struct scaling_page *page, const struct scaling_target *target, struct bytes name)
{
	char key[1000];

	if (!scaling_page_names(page, name))
		return false;
	snprintf(key, sizeof key, "%.*s#%s#%.*s", (int)target->resource.n, (const char *)target->resource.at,
	    scaling_dimension_name(target->dimension), (int)(name.n > 256 ? 256 : name.n),
	    (const char *)name.at);
	return scaling_page_takes(page, key);
}

void
scaling_page_end(struct scaling_page *page)
{
	struct request *request = page->request;
	struct buf *reply = &request->reply;
	tide_err rc = buf_check(&page->last);

	buf_append_byte(reply, ']');
	if (page->more) {
		buf_append_string(reply, ",\"NextToken\":");
		json_write_string(reply, buf_bytes(&page->last));
	}
	buf_append_byte(reply, '}');
	buf_fini(&page->last);
	if (page->skipping) {
		buf_clear(reply);
		ops_fail(request, TIDE_SCALING_TOKEN, "Invalid next token");
	} else if (rc != TIDE_OK || buf_check(reply) != TIDE_OK) {
		ops_fail(request, TIDE_NOMEM, NULL);
	} else {
		request_ok(request);
	}
}
