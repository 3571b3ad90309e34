#include <string.h>

#include "bench_client.h"

#define TRANSACT_ITEMS 4
#define BUYERS 10007 /* partition keys of the index; prime, so that a buyer's items are of many partitions */

static const struct op {
	const char *name, *operation, *reply;
} ops[BENCH_OP_COUNT] = {
    [BENCH_PUT] = {"put", "PutItem", NULL},
    [BENCH_GET] = {"get", "GetItem", NULL},
    [BENCH_QUERY10] = {"query10", "Query", "\"Count\":10,"},
    [BENCH_QUERY100] = {"query100", "Query", "\"Count\":100,"},
    [BENCH_UPDATE] = {"update", "UpdateItem", NULL},
    [BENCH_BATCH] = {"batch", "BatchWriteItem", "\"UnprocessedItems\":{}"},
    [BENCH_TRANSACT] = {"transact", "TransactWriteItems", NULL},
    [BENCH_CREATE] = {"create", "CreateTable", NULL},
    [BENCH_CREATE_INDEXED] = {"create-indexed", "CreateTable", NULL},
    [BENCH_DESCRIBE] = {"describe", "DescribeTable", NULL},
};

enum bench_op
bench_op_named(const char *name)
{
	enum bench_op op = BENCH_PUT;

	while (op < BENCH_OP_COUNT && strcmp(ops[op].name, name) != 0)
		op++;
	return op;
}

const char *
bench_op_name(enum bench_op op)
{
	return ops[op].name;
}

bool
bench_op_is_indexed(enum bench_op op)
{
	return (op >= BENCH_QUERY10 && op <= BENCH_TRANSACT) || op == BENCH_CREATE_INDEXED;
}

const char *
bench_op_reply(enum bench_op op)
{
	return ops[op].reply;
}

static void
append_number(struct buf *out, uint64_t number, unsigned digits)
{
	char text[20];

	for (unsigned i = digits; i > 0; i--, number /= 10)
		text[i - 1] = (char)('0' + number % 10);
	buf_append(out, text, digits);
}

static void
append_text(struct buf *out, unsigned name, struct bytes text)
{
	char head[] = {',', '"', 'f', (char)('0' + name), '"', ':', '{', '"', 'S', '"', ':', '"'};

	buf_append(out, head, sizeof head);
	buf_append(out, text.at, text.n);
	buf_append(out, "\"}", 2);
}

static void
append_item(struct buf *out, uint64_t key)
{
	buf_append_string(out, "{\"pk\":{\"S\":\"user");
	append_number(out, key, 12);
	buf_append_string(out, "\"}");
	for (unsigned i = 0; i < 10; i++)
		append_text(out, i, bench_attribute(key, i));
	buf_append_byte(out, '}');
}

/* --- the indexed table --- */

static void
append_partition(struct buf *out, uint64_t key)
{
	buf_append_string(out, "{\"S\":\"part");
	append_number(out, key / BENCH_PARTITION_ITEMS, 8);
	buf_append_string(out, "\"}");
}

static void
append_sort(struct buf *out, uint64_t key)
{
	buf_append_string(out, "{\"S\":\"");
	append_number(out, key % BENCH_PARTITION_ITEMS, 2);
	buf_append_string(out, "\"}");
}

static void
append_key(struct buf *out, uint64_t key)
{
	buf_append_string(out, "\"Key\":{\"pk\":");
	append_partition(out, key);
	buf_append_string(out, ",\"sk\":");
	append_sort(out, key);
	buf_append_byte(out, '}');
}

/*
 * The buyer is another one each time: a put moves its entry in the index.
 * As large as the other table's items: 14 + 4 + 16 + 2 bytes of keys and counter, and ten attributes.
 */
static void
append_indexed_item(struct buf *out, uint64_t key, uint64_t salt)
{
	struct bytes last = bench_attribute(key + salt, 9);

	last.n -= 18;
	buf_append_string(out, "{\"pk\":");
	append_partition(out, key);
	buf_append_string(out, ",\"sk\":");
	append_sort(out, key);
	buf_append_string(out, ",\"buyer\":{\"S\":\"buy");
	append_number(out, (key + salt) % BUYERS, 8);
	buf_append_string(out, "\"},\"n\":{\"N\":\"0\"}");
	for (unsigned i = 0; i < 9; i++)
		append_text(out, i, bench_attribute(key + salt, i));
	append_text(out, 9, last);
	buf_append_byte(out, '}');
}

static void
append_query(struct buf *out, const struct bench_request *request)
{
	bool all = request->op == BENCH_QUERY100;
	uint64_t first = request->key - request->key % 10;

	buf_append_format(out,
	    ",\"KeyConditionExpression\":\"pk = :p%s\",\"ExpressionAttributeValues\":{\":p\":",
	    all ? "" : " AND sk BETWEEN :a AND :b");
	append_partition(out, request->key);
	if (!all) {
		buf_append_string(out, ",\":a\":");
		append_sort(out, first);
		buf_append_string(out, ",\":b\":");
		append_sort(out, first + 9);
	}
	buf_append_byte(out, '}');
}

static void
append_update(struct buf *out, uint64_t key, uint64_t salt)
{
	struct bytes text = bench_attribute(key + salt, 0);

	append_key(out, key);
	buf_append_string(out,
	    ",\"UpdateExpression\":\"SET f0 = :f, n = n + :one\",\"ConditionExpression\":\"n >= :zero\","
	    "\"ExpressionAttributeValues\":{\":one\":{\"N\":\"1\"},\":zero\":{\"N\":\"0\"},\":f\":{\"S\":\"");
	buf_append(out, text.at, text.n);
	buf_append_string(out, "\"}}");
}

static uint64_t
other_key(const struct bench_request *request, uint64_t i, uint64_t n)
{
	uint64_t apart = request->in_order ? 1 : request->keys / n;

	return (request->key + i * apart) % request->keys;
}

static void
append_batch(struct buf *out, const struct bench_request *request)
{
	buf_append_format(out, "\"RequestItems\":{\"%s\":[", request->table);
	for (uint64_t i = 0; i < BENCH_BATCH_ITEMS; i++) {
		buf_append_string(out, i == 0 ? "{\"PutRequest\":{\"Item\":" : ",{\"PutRequest\":{\"Item\":");
		append_indexed_item(out, other_key(request, i, BENCH_BATCH_ITEMS), request->salt);
		buf_append_string(out, "}}");
	}
	buf_append_string(out, "]}");
}

static void
append_transact(struct buf *out, const struct bench_request *request)
{
	static const char *const kinds[TRANSACT_ITEMS] = {"Put", "Update", "Update", "ConditionCheck"};

	buf_append_string(out, "\"ClientRequestToken\":\"00000000-0000-");
	append_number(out, request->salt, 19);
	buf_append_string(out, "\",\"TransactItems\":[");
	for (uint64_t i = 0; i < TRANSACT_ITEMS; i++) {
		uint64_t key = other_key(request, i, TRANSACT_ITEMS);

		buf_append_format(
		    out, "%s{\"%s\":{\"TableName\":\"%s\",", i == 0 ? "" : ",", kinds[i], request->table);
		if (i == 0) {
			buf_append_string(out, "\"Item\":");
			append_indexed_item(out, key, request->salt);
		} else if (i < TRANSACT_ITEMS - 1) {
			append_update(out, key, request->salt);
		} else {
			append_key(out, key);
			buf_append_string(out, ",\"ConditionExpression\":\"attribute_exists(buyer)\"");
		}
		buf_append_string(out, "}}");
	}
	buf_append_byte(out, ']');
}

/* --- */

static void
append_body(struct buf *out, const struct bench_request *request)
{
	buf_append_byte(out, '{');
	if (request->op != BENCH_BATCH && request->op != BENCH_TRANSACT)
		buf_append_format(out, "\"TableName\":\"%s\"", request->table);
	switch (request->op) {
	case BENCH_PUT:
		buf_append_string(out, ",\"Item\":");
		append_item(out, request->key);
		break;
	case BENCH_GET:
		buf_append_string(out, ",\"ConsistentRead\":true,\"Key\":{\"pk\":{\"S\":\"user");
		append_number(out, request->key, 12);
		buf_append_string(out, "\"}}");
		break;
	case BENCH_QUERY10:
	case BENCH_QUERY100:
		append_query(out, request);
		break;
	case BENCH_UPDATE:
		buf_append_byte(out, ',');
		append_update(out, request->key, request->salt);
		break;
	case BENCH_BATCH:
		append_batch(out, request);
		break;
	case BENCH_TRANSACT:
		append_transact(out, request);
		break;
	case BENCH_CREATE:
		buf_append_string(out,
		    ",\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],"
		    "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],"
		    "\"BillingMode\":\"PAY_PER_REQUEST\"");
		break;
	case BENCH_CREATE_INDEXED:
		buf_append_string(out,
		    ",\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"},"
		    "{\"AttributeName\":\"sk\",\"KeyType\":\"RANGE\"}],"
		    "\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"},"
		    "{\"AttributeName\":\"sk\",\"AttributeType\":\"S\"},"
		    "{\"AttributeName\":\"buyer\",\"AttributeType\":\"S\"}],"
		    "\"GlobalSecondaryIndexes\":[{\"IndexName\":\"by-buyer\","
		    "\"KeySchema\":[{\"AttributeName\":\"buyer\",\"KeyType\":\"HASH\"}],"
		    "\"Projection\":{\"ProjectionType\":\"ALL\"}}],"
		    "\"BillingMode\":\"PAY_PER_REQUEST\"");
		break;
	case BENCH_DESCRIBE:
	case BENCH_OP_COUNT:
		break;
	}
	buf_append_byte(out, '}');
}

void
bench_request_write(const struct bench_request *request, struct buf *out)
{
	struct buf body = {0};

	append_body(&body, request);
	/* Headers as boto3 sends them; the signature has its shape only. */
	buf_append_format(out,
	    "POST / HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: identity\r\n"
	    "X-Amz-Target: DynamoDB_20120810.%s\r\nContent-Type: application/x-amz-json-1.0\r\n"
	    "User-Agent: tidemark-bench\r\nX-Amz-Date: 20260101T000000Z\r\n"
	    "Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/dynamodb/aws4_request, "
	    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
	    "Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n"
	    "Content-Length: %zu\r\n\r\n",
	    request->host, ops[request->op].operation, body.n);
	buf_append(out, body.at, body.n);
	if (body.failed)
		out->failed = true;
	buf_fini(&body);
}
