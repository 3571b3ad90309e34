#include "store/catalog/fact.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/item/key.h"

/* What a name goes on with behind "#". */
enum qualifier { ALONE, BY_REGION, BY_INDEX };

static const struct {
	const char *name;
	enum qualifier qualifier;
} kinds[FACT_UNKNOWN] = {
    [FACT_SCHEMA] = {"schema", ALONE},
    [FACT_DELETED] = {"deleted", ALONE},
    [FACT_STREAM] = {"stream", ALONE},
    [FACT_BILLING] = {"billing", ALONE},
    [FACT_WANTED] = {"wanted", BY_REGION},
    [FACT_STATUS] = {"status", BY_REGION},
    [FACT_NAME] = {"name", BY_REGION},
    [FACT_PROTECTION] = {"protection", BY_REGION},
    [FACT_OVERRIDE] = {"override", BY_REGION},
    [FACT_INDEX] = {"index", BY_INDEX},
    [FACT_CAPACITY] = {"capacity", BY_INDEX},
    [FACT_TTL] = {"ttl", ALONE},
    [FACT_CLASS] = {"class", ALONE},
    [FACT_ENCRYPTION] = {"encryption", ALONE},
    [FACT_MAXIMUM] = {"maximum", ALONE},
    [FACT_WARM] = {"warm", ALONE},
    [FACT_TAGS] = {"tags", BY_REGION},
    [FACT_POLICY] = {"policy", BY_REGION},
};

bool
fact_kind_has_region(enum fact_kind kind)
{
	return kind < FACT_UNKNOWN && kinds[kind].qualifier == BY_REGION;
}

bool
fact_kind_has_index(enum fact_kind kind)
{
	return kind < FACT_UNKNOWN && kinds[kind].qualifier == BY_INDEX;
}

void
facts_fini(struct facts *facts)
{
	for (uint32_t i = 0; i < facts->n; i++)
		free(facts->at[i].image);
	free(facts->at);
	*facts = (struct facts){0};
}

static struct fact *
facts_find(const struct facts *facts, enum fact_kind kind, const char *region, uint64_t table)
{
	for (uint32_t i = 0; i < facts->n; i++) {
		struct fact *f = &facts->at[i];

		if (f->kind == kind && (table == 0 || f->table == table) && strcmp(f->region, region) == 0)
			return f;
	}
	return NULL;
}

const struct fact *
facts_get(const struct facts *facts, enum fact_kind kind, const char *region)
{
	return facts_find(facts, kind, region, 0);
}

tide_err
facts_set(struct facts *facts, enum fact_kind kind, const char *region, uint64_t table,
    struct version version, struct bytes image)
{
	struct fact *f = facts_find(facts, kind, region, table), *grown;
	uint8_t *copy;
	uint32_t room;

	if ((copy = malloc(image.n == 0 ? 1 : image.n)) == NULL)
		return TIDE_NOMEM;
	if (image.n != 0)
		memcpy(copy, image.at, image.n);
	if (f == NULL) {
		if (facts->n == facts->room) {
			room = facts->room == 0 ? 8 : facts->room * 2;
			if ((grown = realloc(facts->at, room * sizeof *grown)) == NULL) {
				free(copy);
				return TIDE_NOMEM;
			}
			facts->at = grown;
			facts->room = room;
		}
		f = &facts->at[facts->n++];
		*f = (struct fact){.kind = kind, .table = table};
		snprintf(f->region, sizeof f->region, "%s", region);
	}
	free(f->image);
	f->image = copy;
	f->image_n = image.n;
	f->version = version;
	return TIDE_OK;
}

void
facts_drop(struct facts *facts, enum fact_kind kind, const char *region, uint64_t table)
{
	struct fact *f = facts_find(facts, kind, region, table);

	if (f == NULL)
		return;
	free(f->image);
	*f = facts->at[--facts->n];
}

bool
fact_name_parse(struct bytes name, enum fact_kind *kind, char region[REGION_NAME_MAX + 1])
{
	const uint8_t *mark;
	size_t head, tail = 0;

	if (name.n == 0 || name.n > FACT_NAME_MAX || memchr(name.at, 0, name.n) != NULL)
		return false;
	mark = memchr(name.at, '#', name.n);
	head = mark == NULL ? name.n : (size_t)(mark - name.at);
	if (mark != NULL)
		tail = name.n - head - 1;
	if (tail > REGION_NAME_MAX)
		return false;
	*kind = FACT_UNKNOWN;
	for (unsigned k = 0; k < FACT_UNKNOWN; k++) {
		if (bytes_is(bytes_of(name.at, head), kinds[k].name) &&
		    (kinds[k].qualifier != ALONE) == (tail != 0))
			*kind = (enum fact_kind)k;
	}
	memcpy(region, mark == NULL ? (const uint8_t *)"" : mark + 1, tail);
	region[tail] = 0;
	return true;
}

void
fact_name_format(enum fact_kind kind, const char *region, char name[FACT_NAME_MAX + 1])
{
	if (kinds[kind].qualifier != ALONE)
		snprintf(name, FACT_NAME_MAX + 1, "%s#%.*s", kinds[kind].name, REGION_NAME_MAX, region);
	else
		snprintf(name, FACT_NAME_MAX + 1, "%s", kinds[kind].name);
}

void
fact_key_of(const char *partition, const char *sort, struct buf *out)
{
	struct value p = {.type = VALUE_S, .text = bytes_of_string(partition)};
	struct value s = {.type = VALUE_S, .text = bytes_of_string(sort)};

	key_encode(&p, &s, out);
}

void
fact_key(uint64_t id, enum fact_kind kind, const char *region, struct buf *out)
{
	char partition[17], sort[FACT_NAME_MAX + 1];

	snprintf(partition, sizeof partition, "%016llx", (unsigned long long)id);
	fact_name_format(kind, region, sort);
	fact_key_of(partition, sort, out);
}

tide_err
fact_key_decode(struct arena *arena, struct bytes key, struct bytes *partition, struct bytes *sort)
{
	struct value p, s;
	tide_err rc;

	if ((rc = key_decode(arena, key, VALUE_S, true, VALUE_S, &p, &s)) != TIDE_OK)
		return rc;
	*partition = p.text;
	*sort = s.text;
	return TIDE_OK;
}

bool
fact_id_parse(struct bytes text, uint64_t *id)
{
	uint64_t v = 0;

	if (text.n != 16)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.at[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*id = v;
	return true;
}

void
fact_item_encode(const char *partition, const char *sort, const struct value *value, struct buf *out)
{
	/* In byte order of the names, as the canonical form wants. */
	struct member members[] = {
	    {BYTES_LITERAL("fact"), {.type = VALUE_S, .text = bytes_of_string(sort)}},
	    {BYTES_LITERAL("id"), {.type = VALUE_S, .text = bytes_of_string(partition)}},
	    {BYTES_LITERAL("value"), *value},
	};
	struct value item = {.type = VALUE_M, .map = {members, 3}};

	value_encode(&item, out);
}

tide_err
fact_item_decode(struct arena *arena, struct bytes image, struct value *value)
{
	struct value item;
	const struct value *v;
	tide_err rc;

	if ((rc = value_decode(arena, image, &item)) != TIDE_OK)
		return rc;
	if (item.type != VALUE_M || (v = value_map_get(&item, BYTES_LITERAL("value"))) == NULL)
		return TIDE_CORRUPT;
	*value = *v;
	return TIDE_OK;
}

struct value
fact_text(const char *text)
{
	return (struct value){.type = VALUE_S, .text = bytes_of_string(text)};
}

struct value
fact_bool(bool flag)
{
	return (struct value){.type = VALUE_BOOL, .boolean = flag};
}

struct value
fact_number(uint64_t v, struct fact_number *text)
{
	snprintf(text->at, sizeof text->at, "%llu", (unsigned long long)v);
	return (struct value){.type = VALUE_N, .text = bytes_of_string(text->at)};
}

struct bytes
fact_member_text(const struct value *map, const char *name, enum value_type type)
{
	const struct value *v = map->type == VALUE_M ? value_map_get(map, bytes_of_string(name)) : NULL;

	return v != NULL && v->type == type ? v->text : BYTES_NONE;
}

uint64_t
fact_member_number(const struct value *map, const char *name)
{
	struct bytes text = fact_member_text(map, name, VALUE_N);
	uint64_t v = 0;

	for (size_t i = 0; i < text.n && i < 18; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return 0;
		v = v * 10 + (uint64_t)(text.at[i] - '0');
	}
	return v;
}

struct throughput_changes
fact_changes(const struct value *map)
{
	return (struct throughput_changes){
	    .increased_ms = fact_member_number(map, "increased"),
	    .decreased_ms = fact_member_number(map, "decreased"),
	    .decreases = fact_member_number(map, "decreases"),
	};
}

bool
fact_member_is(const struct value *map, const char *name)
{
	const struct value *v = map->type == VALUE_M ? value_map_get(map, bytes_of_string(name)) : NULL;

	return v != NULL && v->type == VALUE_BOOL && v->boolean;
}
