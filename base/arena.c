#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ARENA_BLOCK 8192
#define ARENA_ALIGN 16

struct arena_block {
	struct arena_block *next; /* the older block */
	size_t n, room;
	_Alignas(ARENA_ALIGN) uint8_t at[];
};

void
arena_init(struct arena *arena, size_t limit)
{
	*arena = (struct arena){.limit = limit};
}

void
arena_fini(struct arena *arena)
{
	struct arena_block *block, *next;

	for (block = arena->blocks; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	arena->blocks = NULL;
	arena->used = 0;
}

void
arena_reset(struct arena *arena)
{
	struct arena_block *block = arena->blocks, *next;

	while (block != NULL && block->next != NULL) {
		next = block->next;
		free(block);
		block = next;
	}
	if (block != NULL)
		block->n = 0;
	arena->blocks = block;
	arena->used = 0;
}

void *
arena_alloc(struct arena *arena, size_t n)
{
	struct arena_block *block = arena->blocks;
	size_t room;
	void *at;

	if (n > SIZE_MAX / 2)
		return NULL;
	n = (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (arena->limit != 0 && arena->used + n > arena->limit)
		return NULL;
	if (block == NULL || block->room - block->n < n) {
		room = n > ARENA_BLOCK ? n : ARENA_BLOCK;
		/* Blocks double, so that a large request costs few calls. */
		if (block != NULL && room < block->room * 2 && block->room < (1 << 20))
			room = block->room * 2;
		if ((block = malloc(sizeof *block + room)) == NULL)
			return NULL;
		block->n = 0;
		block->room = room;
		block->next = arena->blocks;
		arena->blocks = block;
	}
	at = block->at + block->n;
	block->n += n;
	arena->used += n;
	return at;
}

void *
arena_calloc(struct arena *arena, size_t n)
{
	void *at = arena_alloc(arena, n);

	if (at != NULL)
		memset(at, 0, n);
	return at;
}

struct bytes
arena_copy(struct arena *arena, struct bytes bytes)
{
	uint8_t *at = arena_alloc(arena, bytes.n + 1);

	if (at == NULL)
		return BYTES_NONE;
	if (bytes.n > 0)
		memcpy(at, bytes.at, bytes.n);
	at[bytes.n] = 0;
	return bytes_of(at, bytes.n);
}

char *
arena_format(struct arena *arena, const char *format, ...)
{
	va_list args;
	char *at;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	assert(n >= 0);
	if ((at = arena_alloc(arena, (size_t)n + 1)) == NULL)
		return NULL;
	va_start(args, format);
	vsnprintf(at, (size_t)n + 1, format, args);
	va_end(args);
	return at;
}
