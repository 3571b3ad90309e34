/*
 * The definition of an index, as it is journaled:
 *
 *     [id, projection, [name, type, ... partition keys], [name, type, ... sort keys], [name, ... included], [name, ... table keys]]
 */
#include "base/pack.h"
#include "store/shard/index_priv.h"

#define DEF_FIELDS 6
#define NAME_BYTES_MAX 65535 /* of an attribute, as the service has it */

static bool
are_sound(const struct index_key *keys, uint8_t n)
{
	for (uint8_t i = 0; i < n; i++)
		if (keys[i].name.n == 0 || keys[i].name.n > NAME_BYTES_MAX || keys[i].type > VALUE_B)
			return false;
	return true;
}

bool
index_def_is_sound(const struct index_def *def)
{
	return def->id != 0 && def->n_partitions >= 1 && def->n_partitions <= INDEX_KEYS_MAX &&
	       def->n_sorts <= INDEX_KEYS_MAX && def->n_includes <= INDEX_INCLUDES_MAX &&
	       def->n_table_keys >= 1 && def->n_table_keys <= 2 && def->projection <= INDEX_ALL &&
	       are_sound(def->partitions, def->n_partitions) && are_sound(def->sorts, def->n_sorts);
}

static void
encode_keys(const struct index_key *keys, uint8_t n, struct buf *out)
{
	pack_array(out, 2u * n);
	for (uint8_t i = 0; i < n; i++) {
		pack_bin(out, keys[i].name);
		pack_uint(out, keys[i].type);
	}
}

static void
encode_names(const struct bytes *names, uint8_t n, struct buf *out)
{
	pack_array(out, n);
	for (uint8_t i = 0; i < n; i++)
		pack_bin(out, names[i]);
}

void
index_def_encode(const struct index_def *def, struct buf *out)
{
	pack_array(out, DEF_FIELDS);
	pack_uint(out, def->id);
	pack_uint(out, def->projection);
	encode_keys(def->partitions, def->n_partitions, out);
	encode_keys(def->sorts, def->n_sorts, out);
	encode_names(def->includes, def->n_includes, out);
	encode_names(def->table_keys, def->n_table_keys, out);
}

static uint8_t
decode_keys(struct unpack *in, struct index_key keys[INDEX_KEYS_MAX])
{
	uint32_t n = unpack_array(in);

	if (in->rc == TIDE_OK && (n % 2 != 0 || n / 2 > INDEX_KEYS_MAX))
		in->rc = TIDE_CORRUPT;
	for (uint32_t i = 0; i < n / 2 && in->rc == TIDE_OK; i++) {
		keys[i].name = unpack_bin(in);
		keys[i].type = (enum value_type)unpack_uint_max(in, VALUE_B);
	}
	return in->rc == TIDE_OK ? (uint8_t)(n / 2) : 0;
}

static uint8_t
decode_names(struct unpack *in, struct bytes *names, uint32_t max)
{
	uint32_t n = unpack_array(in);

	if (in->rc == TIDE_OK && n > max)
		in->rc = TIDE_CORRUPT;
	for (uint32_t i = 0; i < n && in->rc == TIDE_OK; i++)
		names[i] = unpack_bin(in);
	return in->rc == TIDE_OK ? (uint8_t)n : 0;
}

tide_err
index_def_decode(struct bytes bytes, struct index_def *out)
{
	struct unpack in = unpack_of(bytes);
	struct index_def def = {0};
	uint32_t more = unpack_open(&in, DEF_FIELDS, DEF_FIELDS, NULL);

	def.id = unpack_uint(&in);
	def.projection = (enum index_projection)unpack_uint_max(&in, INDEX_ALL);
	def.n_partitions = decode_keys(&in, def.partitions);
	def.n_sorts = decode_keys(&in, def.sorts);
	def.n_includes = decode_names(&in, def.includes, INDEX_INCLUDES_MAX);
	def.n_table_keys = decode_names(&in, def.table_keys, 2);
	unpack_skips(&in, more);
	if (in.rc == TIDE_OK && !index_def_is_sound(&def))
		in.rc = TIDE_CORRUPT;
	if (in.rc == TIDE_OK)
		*out = def;
	return in.rc;
}
