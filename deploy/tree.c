#include "deploy/tree.h"

#include <stdlib.h>
#include <string.h>

const struct json *
tree_follow(const struct json *json, const char *path)
{
	char step[256];
	size_t n;
	char *end;
	unsigned long index;

	while (json != NULL && *path != '\0') {
		n = strcspn(path, ".");
		if (n >= sizeof step)
			return NULL;
		memcpy(step, path, n);
		step[n] = '\0';
		path += n + (path[n] == '.');
		if (json->type == JSON_ARRAY) {
			index = strtoul(step, &end, 10);
			json = n > 0 && *end == '\0' && index < json->array.n ? &json->array.at[index] : NULL;
		} else {
			json = json_get(json, step);
		}
	}
	return json;
}

struct bytes
tree_text(const struct json *json, const char *path)
{
	json = tree_follow(json, path);
	return json != NULL && (json->type == JSON_STRING || json->type == JSON_NUMBER) ? json->text
											: BYTES_NONE;
}

uint64_t
tree_number(const struct json *json, const char *path)
{
	struct bytes text = tree_text(json, path);
	char digits[32];

	if (text.n == 0 || text.n >= sizeof digits)
		return 0;
	memcpy(digits, text.at, text.n);
	digits[text.n] = '\0';
	return strtoull(digits, NULL, 10);
}

bool
tree_true(const struct json *json, const char *path)
{
	json = tree_follow(json, path);
	return json != NULL && json->type == JSON_TRUE;
}

void
tree_write(struct buf *out, const struct json *json)
{
	switch (json->type) {
	case JSON_NULL:
		buf_append_string(out, "null");
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		buf_append_string(out, json->type == JSON_TRUE ? "true" : "false");
		break;
	case JSON_NUMBER:
		buf_append(out, json->text.at, json->text.n);
		break;
	case JSON_STRING:
		json_write_string(out, json->text);
		break;
	case JSON_ARRAY:
		for (uint32_t i = 0; i < json->array.n; i++) {
			buf_append_string(out, i == 0 ? "[" : ",");
			tree_write(out, &json->array.at[i]);
		}
		buf_append_string(out, json->array.n == 0 ? "[]" : "]");
		break;
	case JSON_OBJECT:
		for (uint32_t i = 0; i < json->object.n; i++) {
			buf_append_string(out, i == 0 ? "{" : ",");
			json_write_string(out, json->object.at[i].name);
			buf_append_string(out, ":");
			tree_write(out, &json->object.at[i].value);
		}
		buf_append_string(out, json->object.n == 0 ? "{}" : "}");
		break;
	}
}
