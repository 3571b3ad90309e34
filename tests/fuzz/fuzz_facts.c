/*
 * Facts come from other regions: whatever their bytes are, a description is made or refused. The input is a list of facts: a byte of
 * kind, a byte that chooses region and table, two bytes of length, the image.
 */
#include <stdlib.h>

#include "store/catalog/fact.h"

#define FACTS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct catalog_region regions[] = {{"aa-1", 1}, {"bb-2", 2}};
	static const char *const names[] = {"aa-1", "bb-2", "unknown-3", "cc-4"};
	static const char *const ids[] = {"0000000000000001", "7fffffffffffffff", "00000000000000ab", "x"};
	struct facts facts = {0};
	struct tide_error error;
	struct table *table;
	uint64_t seen = 0;

	for (int i = 0; i < FACTS_MAX && size >= 4; i++) {
		enum fact_kind kind = (enum fact_kind)(data[0] % (FACT_UNKNOWN + 1));
		const char *region = fact_kind_has_region(kind)  ? names[data[1] & 3]
				     : fact_kind_has_index(kind) ? ids[data[1] & 3]
								 : "";
		uint64_t in = (data[1] & 4) != 0 ? TABLE_CATALOG : TABLE_REGIONAL;
		size_t n = (size_t)data[2] << 8 | data[3];

		data += 4;
		size -= 4;
		n = n > size ? size : n;
		if (facts_set(&facts, kind, region, in, (struct version){{++seen}, jid_make(1, 1, 0)},
			bytes_of(data, n)) != TIDE_OK)
			abort();
		data += n;
		size -= n;
	}
	if (table_build(100, &facts, regions, 2, &table, &error) == TIDE_OK) {
		if (table->here && table->deleted)
			abort();
		if (table->has_sort && table->sort.name.n == 0)
			abort();
		for (uint32_t k = 0; k < table->n_indexes; k++) {
			struct index_def def;

			table_index_def(table, &table->indexes[k], &def);
			if (def.id == 0 || def.n_partitions == 0 || def.n_partitions > INDEX_KEYS_MAX ||
			    def.n_sorts > INDEX_KEYS_MAX || def.n_includes > INDEX_INCLUDES_MAX ||
			    table_index_find(table, table->indexes[k].name) != &table->indexes[k])
				abort();
		}
		table_release(table);
	}
	facts_fini(&facts);
	return 0;
}
