/* The item operations against a shard and a committer in memory: what each request answers, step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ops/fake_region.h"

struct step {
	void (*handle)(struct request *request);
	const char *body; /* with ' for " */
	const char *want; /* the same; the answer begins with it, and is it unless it ends in "..." */
};

static void
quotes(const char *from, char *to, size_t room)
{
	size_t n;

	assert_true(strlen(from) < room);
	for (n = 0; from[n] != 0; n++)
		to[n] = from[n] == '\'' ? '"' : from[n];
	to[n] = 0;
}

static void
play(const struct step *steps, size_t n)
{
	char body[4096], want[4096];
	const char *got;
	size_t i, length;

	for (i = 0; i < n; i++) {
		quotes(steps[i].body, body, sizeof body);
		/* sentences have single quotes of their own */
		if (steps[i].want[0] == '{')
			quotes(steps[i].want, want, sizeof want);
		else
			snprintf(want, sizeof want, "%s", steps[i].want);
		got = fake_call(steps[i].handle, body);
		length = strlen(want);
		if (length > 3 && strcmp(want + length - 3, "...") == 0) {
			want[length - 3] = 0;
			if (strncmp(got, want, length - 3) != 0)
				fail_msg("step %zu: %s\n  got  %s\n  want %s...", i, body, got, want);
		} else if (strcmp(got, want) != 0) {
			fail_msg("step %zu: %s\n  got  %s\n  want %s", i, body, got, want);
		}
	}
}

#define PLAY(steps) play(steps, sizeof(steps) / sizeof(steps)[0])
#define PUT op_put_item
#define GET op_get_item
#define UPDATE op_update_item
#define DELETE op_delete_item
#define QUERY op_query
#define SCAN op_scan
#define VALIDATION "ValidationException: "
#define ONE VALIDATION "1 validation error detected: "
#define FAILED "ConditionalCheckFailedException: The conditional request failed"

static void
what_is_put_is_got(void **state)
{
	static const struct step steps[] = {
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'a'},'n':{'N':'1.50'},'l':{'L':[{'BOOL':true},{'NULL':"
		"true}]}}}",
		"{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'a'}}}",
		"{'Item':{'l':{'L':[{'BOOL':true},{'NULL':true}]},'n':{'N':'1.5'},'pk':{'S':'a'}}}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'none'}}}", "{}"},
	    {GET,
		"{'TableName':'hash','Key':{'pk':{'S':'a'}},'ProjectionExpression':'l[1], "
		"#n','ExpressionAttributeNames':{'#n':'n'}}",
		"{'Item':{'l':{'L':[{'NULL':true}]},'n':{'N':'1.5'}}}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ProjectionExpression':'zzz'}", "{'Item':{}}"},
	    {GET,
		"{'TableName':'arn:aws:dynamodb:us-east-1:000000000000:table/"
		"hash','Key':{'pk':{'S':'none'}}}",
		"{}"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'a'},'x':{'S':'new'}},'ReturnValues':'ALL_OLD'}",
		"{'Attributes':{'l':{'L':[{'BOOL':true},{'NULL':true}]},'n':{'N':'1.5'},'pk':{'S':'a'}}}"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'never'}},'ReturnValues':'ALL_OLD'}", "{}"},
	    {DELETE, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ReturnValues':'ALL_OLD'}",
		"{'Attributes':{'pk':{'S':'a'},'x':{'S':'new'}}}"},
	    {DELETE, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ReturnValues':'ALL_OLD'}", "{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'a'}}}", "{}"},
	};

	(void)state;
	PLAY(steps);
}

static void
conditions_decide_on_the_stored_item(void **state)
{
	static const struct step steps[] = {
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'c'},'v':{'N':'1'}},'ConditionExpression':'attribute_"
		"not_exists(pk)'}",
		"{}"},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'c'},'v':{'N':'2'}},'ConditionExpression':'attribute_"
		"not_exists(pk)'}",
		FAILED},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'c'},'v':{'N':'2'}},'ConditionExpression':'v > :v',"
		"'ExpressionAttributeValues':{':v':{'N':'5'}},'ReturnValuesOnConditionCheckFailure':'ALL_OLD'"
		"}",
		FAILED ",\"Item\":{\"pk\":{\"S\":\"c\"},\"v\":{\"N\":\"1\"}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'c'}},'UpdateExpression':'SET v = v + "
		":v','ConditionExpression':'v = :v',"
		"'ExpressionAttributeValues':{':v':{'N':'1'}},'ReturnValues':'UPDATED_NEW'}",
		"{'Attributes':{'v':{'N':'2'}}}"},
	    {DELETE,
		"{'TableName':'hash','Key':{'pk':{'S':'c'}},'ConditionExpression':'v = :v',"
		"'ExpressionAttributeValues':{':v':{'N':'1'}}}",
		FAILED},
	    {DELETE,
		"{'TableName':'hash','Key':{'pk':{'S':'missing'}},'ConditionExpression':'attribute_exists(pk)"
		"',"
		"'ReturnValuesOnConditionCheckFailure':'ALL_OLD'}",
		FAILED},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'c'}}}", "{'Item':{'pk':{'S':'c'},'v':{'N':'2'}}}"},
	};

	(void)state;
	PLAY(steps);
}

static void
updates_return_what_is_asked_for(void **state)
{
	static const struct step steps[] = {
	    {UPDATE, "{'TableName':'hash','Key':{'pk':{'S':'u'}},'ReturnValues':'ALL_NEW'}",
		"{'Attributes':{'pk':{'S':'u'}}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'SET a = :a, m = :m',"
		"'ExpressionAttributeValues':{':a':{'N':'1'},':m':{'M':{'x':{'S':'y'},'z':{'S':'z'}}}},'"
		"ReturnValues':'ALL_OLD'}",
		"{'Attributes':{'pk':{'S':'u'}}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'SET m.x = :a, a = :a',"
		"'ExpressionAttributeValues':{':a':{'N':'2'}},'ReturnValues':'UPDATED_OLD'}",
		"{'Attributes':{'a':{'N':'1'},'m':{'M':{'x':{'S':'y'}}}}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'REMOVE "
		"a','ReturnValues':'UPDATED_NEW'}",
		"{}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'ADD c :one',"
		"'ExpressionAttributeValues':{':one':{'N':'1'}},'ReturnValues':'ALL_NEW'}",
		"{'Attributes':{'c':{'N':'1'},'m':{'M':{'x':{'N':'2'},'z':{'S':'z'}}},'pk':{'S':'u'}}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'ghost'}},'UpdateExpression':'REMOVE "
		"a','ReturnValues':'ALL_NEW'}",
		"{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'ghost'}}}", "{}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'SET pk = "
		":x','ExpressionAttributeValues':{':x':{'S':'q'}}}",
		VALIDATION "One or more parameter values were invalid: Cannot update attribute pk. This "
			   "attribute is part of the key"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'SET q.r = "
		":x','ExpressionAttributeValues':{':x':{'S':'q'}}}",
		VALIDATION "The document path provided in the update expression is invalid for update"},
	    {UPDATE, "{'TableName':'hash','Key':{'pk':{'S':'u'}},'UpdateExpression':'SET'}",
		VALIDATION "Invalid UpdateExpression: ..."},
	};

	(void)state;
	PLAY(steps);
}

static void
bad_requests_get_the_service_s_sentences(void **state)
{
	static const struct step steps[] = {
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'a'}},'ReturnValues':'ALL_NEW'}",
		VALIDATION "Return values set to invalid value"},
	    {DELETE, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ReturnValues':'UPDATED_OLD'}",
		VALIDATION "Return values set to invalid value"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'a'}},'ReturnValues':'X'}",
		ONE "Value 'X' at 'returnValues' failed to satisfy constraint: Member must satisfy enum "
		    "value set: "
		    "[ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW]"},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'a'}},'ReturnConsumedCapacity':'X','"
		"ReturnItemCollectionMetrics':'Y'}",
		VALIDATION "2 validation errors detected: ..."},
	    {PUT, "{'TableName':'hash'}",
		ONE "Value null at 'item' failed to satisfy constraint: Member must not be null"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'N':'1'}}}",
		VALIDATION
		"One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N"},
	    {PUT, "{'TableName':'hash','Item':{'x':{'N':'1'}}}",
		VALIDATION "One or more parameter values were invalid: Missing the key pk in the item"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'a'},'x':{'N':'one'}}}", VALIDATION "..."},
	    {GET, "{'TableName':'hash','Key':{'x':{'S':'a'}}}",
		VALIDATION "The provided key element does not match the schema"},
	    {GET, "{'TableName':'nosuch','Key':{'pk':{'S':'a'}}}",
		"ResourceNotFoundException: Requested resource not found"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ProjectionExpression':''}",
		VALIDATION "Invalid ProjectionExpression: ..."},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'a'}},'ExpressionAttributeNames':{'#a':'b'}}",
		VALIDATION "..."},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'a'}},'ConditionExpression':'x = "
		":v','ExpressionAttributeValues':{':v':{'S':'1'},':w':{'S':'1'}}}",
		VALIDATION "Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}"},
	    {GET, "{'TableName':7,'Key':{'pk':{'S':'a'}}}", "SerializationException: ..."},
	};

	(void)state;
	PLAY(steps);
}

static void
older_parameters_do_what_expressions_do(void **state)
{
	static const struct step steps[] = {
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'old'},'n':{'N':'1'}},'Expected':{'pk':{'Exists':"
		"false}}}",
		"{}"},
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'old'}},'Expected':{'pk':{'Exists':false}}}",
		FAILED},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'old'}},'AttributeUpdates':{'n':{'Action':'ADD','Value'"
		":{'N':"
		"'2'}},'s':{'Value':{'S':'x'}}},'Expected':{'n':{'ComparisonOperator':'LT','"
		"AttributeValueList':["
		"{'N':'2'}]}},'ReturnValues':'UPDATED_NEW'}",
		"{'Attributes':{'n':{'N':'3'},'s':{'S':'x'}}}"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'old'}},'AttributeUpdates':{'s':{'Action':'ADD','Value'"
		":{'N':"
		"'2'}}}}",
		VALIDATION "Type mismatch for attribute to update"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'old'}},'AttributeUpdates':{'pk':{'Action':'DELETE'}}}",
		VALIDATION "One or more parameter values were invalid: Cannot update attribute pk. This "
			   "attribute is part of the key"},
	    {UPDATE,
		"{'TableName':'hash','Key':{'pk':{'S':'ghost'}},'AttributeUpdates':{'s':{'Action':'DELETE'}}"
		"}",
		"{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'ghost'}}}", "{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'old'}},'AttributesToGet':['n']}",
		"{'Item':{'n':{'N':'3'}}}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'old'}},'AttributesToGet':[]}",
		ONE "Value '[]' at 'attributesToGet' failed to satisfy constraint: Member must have length "
		    "greater than or equal to 1"},
	    {QUERY,
		"{'TableName':'hash','KeyConditions':{'pk':{'ComparisonOperator':'EQ','AttributeValueList':[{"
		"'S':"
		"'old'}]}},'QueryFilter':{'n':{'ComparisonOperator':'NULL'}}}",
		"{'Items':[],'Count':0,'ScannedCount':1}"},
	    {QUERY, "{'TableName':'hash','KeyConditions':{'pk':{}}}",
		ONE
		"Value null at 'keyConditions.pk.member.comparisonOperator' failed to satisfy constraint: "
		"Member must not be null"},
	    {SCAN, "{'TableName':'hash','ScanFilter':{'n':{'ComparisonOperator':'='}}}",
		ONE "Value '=' at 'scanFilter.n.member.comparisonOperator' failed to satisfy constraint: "
		    "Member must satisfy enum value set: [IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, "
		    "NOT_NULL, NE, "
		    "LE, BEGINS_WITH, GE, CONTAINS]"},
	    {SCAN, "{'TableName':'hash','ScanFilter':{'n':7}}", "SerializationException: ..."},
	    {DELETE, "{'TableName':'hash','Key':{'pk':{'S':'old'}},'Expected':{'n':{'Value':{'N':'3'}}}}",
		"{}"},
	};

	(void)state;
	PLAY(steps);
}

static void
capacity_is_reported_on_request(void **state)
{
	static const struct step steps[] = {
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'cap'}},'ReturnConsumedCapacity':'TOTAL'}",
		"{'ConsumedCapacity':{'TableName':'hash','CapacityUnits':1.0}}"},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'cap'}},'ReturnConsumedCapacity':'INDEXES','"
		"ReturnValues':'ALL_OLD'}",
		"{'Attributes':{'pk':{'S':'cap'}},'ConsumedCapacity':{'TableName':'hash','CapacityUnits':1.0,"
		"'Table':{'CapacityUnits':1.0}}}"},
	    {PUT,
		"{'TableName':'hash','Item':{'pk':{'S':'cap'}},'ReturnConsumedCapacity':'NONE','"
		"ReturnItemCollectionMetrics':'SIZE'}",
		"{}"},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'none'}},'ReturnConsumedCapacity':'TOTAL'}",
		"{'ConsumedCapacity':{'TableName':'hash','CapacityUnits':0.5}}"},
	    {GET,
		"{'TableName':'hash','Key':{'pk':{'S':'cap'}},'ReturnConsumedCapacity':'TOTAL','"
		"ConsistentRead':true}",
		"{'Item':{'pk':{'S':'cap'}},'ConsumedCapacity':{'TableName':'hash','CapacityUnits':1.0}}"},
	    {DELETE, "{'TableName':'hash','Key':{'pk':{'S':'cap'}},'ReturnConsumedCapacity':'TOTAL'}",
		"{'ConsumedCapacity':{'TableName':'hash','CapacityUnits':1.0}}"},
	    {QUERY,
		"{'TableName':'words','KeyConditionExpression':'pk = "
		":p','ExpressionAttributeValues':{':p':{'S':'none'}},"
		"'ReturnConsumedCapacity':'TOTAL'}",
		"{'Items':[],'Count':0,'ScannedCount':0,'ConsumedCapacity':{'TableName':'words','"
		"CapacityUnits':0.5}}"},
	};

	(void)state;
	PLAY(steps);
}

static void
a_region_that_may_not_write_refuses(void **state)
{
	static const struct step steps[] = {
	    {PUT, "{'TableName':'hash','Item':{'pk':{'S':'w'}}}", "ServiceUnavailableException: ..."},
	    {op_batch_write_item, "{'RequestItems':{'hash':[{'PutRequest':{'Item':{'pk':{'S':'w'}}}}]}}",
		"ServiceUnavailableException: ..."},
	    {GET, "{'TableName':'hash','Key':{'pk':{'S':'w'}}}", "{}"},
	};

	(void)state;
	fake_may_write(false);
	PLAY(steps);
	fake_may_write(true);
}

#define Q                                                                                                    \
	"{'TableName':'range','KeyConditionExpression':'pk = "                                               \
	":p','ExpressionAttributeValues':{':p':{'S':'q'}}"
#define QS(condition, value)                                                                                 \
	"{'TableName':'range','KeyConditionExpression':'pk = :p AND " condition                              \
	"','ExpressionAttributeValues':{':p':{'S':'q'},':s':{'N':'" value "'}}"
#define I(n) "{'pk':{'S':'q'},'sk':{'N':'" n "'}}"
#define RANGE(n)                                                                                             \
	{                                                                                                    \
		PUT, "{'TableName':'range','Item':{'pk':{'S':'q'},'sk':{'N':'" n "'}}}", "{}"                \
	}

static void
queries_select_order_and_page(void **state)
{
	static const struct step steps[] = {
	    RANGE("10"),
	    RANGE("-5"),
	    RANGE("9"),
	    RANGE("1.5"),
	    {PUT, "{'TableName':'range','Item':{'pk':{'S':'other'},'sk':{'N':'9'}}}", "{}"},
	    {QUERY, Q "}",
		"{'Items':[" I("-5") "," I("1.5") "," I("9") "," I("10") "],'Count':4,'ScannedCount':4}"},
	    {QUERY, Q ",'ScanIndexForward':false,'Limit':2}",
		"{'Items':[" I("10") "," I("9") "],'Count':2,'ScannedCount':2,'LastEvaluatedKey':" I(
		    "9") "}"},
	    {QUERY, Q ",'ScanIndexForward':false,'Limit':2,'ExclusiveStartKey':" I("9") "}",
		"{'Items':[" I("1.5") "," I("-5") "],'Count':2,'ScannedCount':2,'LastEvaluatedKey':" I(
		    "-5") "}"},
	    {QUERY, Q ",'ScanIndexForward':false,'Limit':2,'ExclusiveStartKey':" I("-5") "}",
		"{'Items':[],'Count':0,'ScannedCount':0}"},
	    {QUERY, Q ",'ExclusiveStartKey':" I("1.5") "}",
		"{'Items':[" I("9") "," I("10") "],'Count':2,'ScannedCount':2}"},
	    {QUERY, QS("sk < :s", "9") "}",
		"{'Items':[" I("-5") "," I("1.5") "],'Count':2,'ScannedCount':2}"},
	    {QUERY, QS("sk >= :s", "9") "}", "{'Items':[" I("9") "," I("10") "],'Count':2,'ScannedCount':2}"},
	    {QUERY, QS("sk = :s", "9") ",'Limit':1}", "{'Items':[" I("9") "],'Count':1,'ScannedCount':1}"},
	    {QUERY, Q ",'Select':'COUNT'}", "{'Count':4,'ScannedCount':4}"},
	    {QUERY, Q ",'FilterExpression':'attribute_exists(x)','Limit':3}",
		"{'Items':[],'Count':0,'ScannedCount':3,'LastEvaluatedKey':" I("9") "}"},
	    {QUERY, Q ",'ProjectionExpression':'sk','Limit':1}",
		"{'Items':[{'sk':{'N':'-5'}}],'Count':1,'ScannedCount':1,'LastEvaluatedKey':" I("-5") "}"},
	    {QUERY, QS("sk > :s", "1") ",'ExclusiveStartKey':" I("-5") "}",
		VALIDATION "The provided starting key does not match the range key predicate"},
	    {QUERY, Q ",'ExclusiveStartKey':{'pk':{'S':'other'},'sk':{'N':'9'}}}",
		VALIDATION
		"The provided starting key is outside query boundaries based on provided conditions"},
	    {QUERY, Q ",'ExclusiveStartKey':{'pk':{'S':'q'}}}",
		VALIDATION "The provided starting key is invalid..."},
	    {QUERY, "{'TableName':'range'}",
		VALIDATION "Either the KeyConditions or KeyConditionExpression parameter must be specified "
			   "in the request."},
	    {QUERY, Q ",'IndexName':'abc'}", VALIDATION "The table does not have the specified index: abc"},
	    {QUERY, Q ",'Limit':0}",
		ONE "Value '0' at 'limit' failed to satisfy constraint: Member must have value greater than "
		    "or equal to 1"},
	    {QUERY, Q ",'Select':'ALL_PROJECTED_ATTRIBUTES'}",
		VALIDATION "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"},
	    {QUERY, Q ",'Select':'SPECIFIC_ATTRIBUTES'}", VALIDATION "Must specify the AttributesToGet..."},
	    {QUERY, Q ",'Select':'COUNT','ProjectionExpression':'sk'}",
		VALIDATION "Cannot specify the ProjectionExpression when choosing to get only the Count"},
	    {QUERY,
		"{'TableName':'hash','KeyConditionExpression':'pk = "
		":p','ExpressionAttributeValues':{':p':{'S':'q'}},"
		"'ExclusiveStartKey':{'pk':{'S':'q'}}}",
		VALIDATION "The query can return at most one row and cannot be restarted"},
	};

	(void)state;
	PLAY(steps);
}

static void
scans_visit_every_item_once(void **state)
{
	char body[512], start[128] = "";
	const char *got, *last;
	unsigned i, n = 0, segment;

	(void)state;
	for (i = 0; i < 40; i++) {
		snprintf(body, sizeof body,
		    "{\"TableName\":\"words\",\"Item\":{\"pk\":{\"S\":\"p%u\"},\"sk\":{\"S\":\"s\"}}}", i);
		assert_string_equal(fake_call(op_put_item, body), "{}");
	}
	/* in pages of three */
	do {
		snprintf(
		    body, sizeof body, "{\"TableName\":\"words\",\"Limit\":3,\"Select\":\"COUNT\"%s}", start);
		got = fake_call(op_scan, body);
		n += (unsigned)strtoul(strstr(got, "\"Count\":") + 8, NULL, 10);
		last = strstr(got, "\"LastEvaluatedKey\":");
		if (last != NULL)
			snprintf(start, sizeof start, ",\"ExclusiveStartKey\":%.*s", (int)(strlen(last) - 20),
			    last + 19);
	} while (last != NULL);
	assert_int_equal(n, 40);
	/* in segments */
	for (n = 0, segment = 0; segment < 7; segment++) {
		snprintf(body, sizeof body, "{\"TableName\":\"words\",\"TotalSegments\":7,\"Segment\":%u}",
		    segment);
		n += (unsigned)strtoul(strstr(fake_call(op_scan, body), "\"Count\":") + 8, NULL, 10);
	}
	assert_int_equal(n, 40);
}

static void
bad_scans_get_the_service_s_sentences(void **state)
{
	static const struct step steps[] = {
	    {SCAN, "{'TableName':'words','TotalSegments':2}",
		VALIDATION "The Segment parameter is required but was not present in the request when "
			   "parameter TotalSegments is present"},
	    {SCAN, "{'TableName':'words','Segment':2}",
		VALIDATION "The TotalSegments parameter is required but was not present in the request when "
			   "Segment parameter is present"},
	    {SCAN, "{'TableName':'words','Segment':2,'TotalSegments':2}",
		VALIDATION "The Segment parameter is zero-based and must be less than parameter "
			   "TotalSegments: Segment: 2 is not less than "
			   "TotalSegments: 2"},
	    {SCAN, "{'TableName':'words','ExclusiveStartKey':{'pk':{'S':'a'}}}",
		VALIDATION
		"The provided starting key is invalid: The provided key element does not match the schema"},
	    {SCAN, "{'TableName':'words','IndexName':'abc'}",
		VALIDATION "The table does not have the specified index: abc"},
	};

	(void)state;
	PLAY(steps);
}

static void
batches_write_and_read(void **state)
{
	static const struct step steps[] = {
	    {op_batch_write_item,
		"{'RequestItems':{'hash':[{'PutRequest':{'Item':{'pk':{'S':'b1'}}}},{'PutRequest':{'Item':{'"
		"pk':{'S':'b2'}}}}],"
		"'range':[{'PutRequest':{'Item':{'pk':{'S':'b'},'sk':{'N':'1'}}}}]},'ReturnConsumedCapacity':"
		"'TOTAL'}",
		"{'UnprocessedItems':{},'ConsumedCapacity':[{'TableName':'hash','CapacityUnits':2.0},"
		"{'TableName':'range','CapacityUnits':1.0}]}"},
	    {op_batch_write_item,
		"{'RequestItems':{'hash':[{'DeleteRequest':{'Key':{'pk':{'S':'b1'}}}},{'DeleteRequest':{'Key'"
		":{'pk':{'S':'none'}}}}]}}",
		"{'UnprocessedItems':{}}"},
	    {op_batch_get_item,
		"{'RequestItems':{'hash':{'Keys':[{'pk':{'S':'b1'}},{'pk':{'S':'b2'}}]},"
		"'range':{'Keys':[{'pk':{'S':'b'},'sk':{'N':'1.0'}}],'ProjectionExpression':'sk'}},'"
		"ReturnConsumedCapacity':'TOTAL'}",
		"{'Responses':{'hash':[{'pk':{'S':'b2'}}],'range':[{'sk':{'N':'1'}}]},'UnprocessedKeys':{},'"
		"ConsumedCapacity':"
		"[{'TableName':'hash','CapacityUnits':1.0},{'TableName':'range','CapacityUnits':0.5}]}"},
	    {op_batch_get_item, "{'RequestItems':{'hash':{'Keys':[{'pk':{'S':'b1'}},{'pk':{'S':'b1'}}]}}}",
		VALIDATION "Provided list of item keys contains duplicates"},
	    {op_batch_write_item,
		"{'RequestItems':{'hash':[{'DeleteRequest':{'Key':{'pk':{'S':'b1'}}}},{'PutRequest':{'Item':{"
		"'pk':{'S':'b1'},'x':{'S':'y'}}}}]}}",
		VALIDATION "Provided list of item keys contains duplicates"},
	    {op_batch_write_item, "{'RequestItems':{'hash':[{}]}}",
		VALIDATION "Supplied AttributeValue has more than one datatypes set..."},
	    {op_batch_write_item, "{'RequestItems':{'hash':[]}}", ONE "..."},
	    {op_batch_write_item, "{'RequestItems':{'hash':null}}", ONE "..."},
	    {op_batch_write_item, "{'RequestItems':{'hash':[null]}}", VALIDATION "..."},
	    {op_batch_write_item, "{'RequestItems':{}}", ONE "..."},
	    {op_batch_write_item, "{}",
		ONE "Value null at 'requestItems' failed to satisfy constraint: Member must not be null"},
	    {op_batch_write_item, "{'RequestItems':{'hash':[{'PutRequest':{}}]}}", ONE "..."},
	    {op_batch_write_item, "{'RequestItems':{'hash':[{'PutRequest':{'Item':{'x':{'S':'y'}}}}]}}",
		VALIDATION "The provided key element does not match the schema"},
	    {op_batch_get_item, "{'RequestItems':{'hash':null}}", ONE "..."},
	    {op_batch_get_item, "{'RequestItems':{'hash':{'Keys':[null]}}}", "SerializationException: ..."},
	    {op_batch_get_item, "{'RequestItems':{'hash':{'Keys':[]}}}", ONE "..."},
	    {op_batch_get_item, "{'RequestItems':{'nosuch':{'Keys':[{'pk':{'S':'b1'}}]}}}",
		"ResourceNotFoundException: ..."},
	};

	(void)state;
	PLAY(steps);
}

static char *
big_item(const char *prefix, const char *pk, size_t bytes, const char *suffix)
{
	char *body = malloc(bytes + 512);
	int n;

	assert_non_null(body);
	n = sprintf(body, "%s{\"pk\":{\"S\":\"%s\"},\"x\":{\"S\":\"", prefix, pk);
	memset(body + n, 'x', bytes);
	sprintf(body + (size_t)n + bytes, "\"}}%s", suffix);
	return body;
}

static void
items_are_at_most_400_kilobytes(void **state)
{
	/* pk: 2 + 1, x: 1 + what is left */
	char *fits = big_item("{\"TableName\":\"hash\",\"Item\":", "B", 400 * 1024 - 4, "}");
	char *large = big_item("{\"TableName\":\"hash\",\"Item\":", "B", 400 * 1024 - 3, "}");

	(void)state;
	assert_string_equal(fake_call(op_put_item, large),
	    "ValidationException: Item size has exceeded the maximum allowed size");
	assert_string_equal(fake_call(op_put_item, fits), "{}");
	assert_string_equal(
	    fake_call(op_update_item,
		"{\"TableName\":\"hash\",\"Key\":{\"pk\":{\"S\":\"B\"}},\"UpdateExpression\":\"SET y = :y\","
		"\"ExpressionAttributeValues\":{\":y\":{\"S\":\"y\"}}}"),
	    "ValidationException: Item size to update has exceeded the maximum allowed size");
	free(fits);
	free(large);
}

static void
a_batch_of_reads_ends_at_16_megabytes(void **state)
{
	struct buf body = {0};
	char pk[16], *put;
	const char *got;
	unsigned i, keys = 0;

	(void)state;
	buf_append_string(&body, "{\"RequestItems\":{\"hash\":{\"ConsistentRead\":true,\"AttributesToGet\":["
				 "\"pk\",\"x\"],\"Keys\":[");
	for (i = 0; i < 50; i++) {
		snprintf(pk, sizeof pk, "M%u", i);
		put = big_item("{\"TableName\":\"hash\",\"Item\":", pk, 390 * 1024, "}");
		assert_string_equal(fake_call(op_put_item, put), "{}");
		free(put);
		buf_append_format(&body, "%s{\"pk\":{\"S\":\"%s\"}}", i == 0 ? "" : ",", pk);
	}
	buf_append_string(&body, "]}}}");
	buf_append_byte(&body, 0);
	got = strstr(
	    fake_call(op_batch_get_item, (const char *)body.at), "\"UnprocessedKeys\":{\"hash\":{\"Keys\":[");
	assert_non_null(got);
	assert_non_null(strstr(got, "],\"AttributesToGet\":[\"pk\",\"x\"],\"ConsistentRead\":true}}}"));
	for (; (got = strstr(got, "{\"pk\"")) != NULL; got++)
		keys++;
	assert_int_equal(keys, 50 - 16 * 1024 / 390); /* 42 items of 390 KB are read */
	buf_fini(&body);
}

static int
setup(void **state)
{
	(void)state;
	fake_region_start();
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	fake_region_stop();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_put_is_got),
	    cmocka_unit_test(conditions_decide_on_the_stored_item),
	    cmocka_unit_test(updates_return_what_is_asked_for),
	    cmocka_unit_test(bad_requests_get_the_service_s_sentences),
	    cmocka_unit_test(older_parameters_do_what_expressions_do),
	    cmocka_unit_test(capacity_is_reported_on_request),
	    cmocka_unit_test(a_region_that_may_not_write_refuses),
	    cmocka_unit_test(queries_select_order_and_page),
	    cmocka_unit_test(scans_visit_every_item_once),
	    cmocka_unit_test(bad_scans_get_the_service_s_sentences),
	    cmocka_unit_test(batches_write_and_read),
	    cmocka_unit_test(items_are_at_most_400_kilobytes),
	    cmocka_unit_test(a_batch_of_reads_ends_at_16_megabytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
