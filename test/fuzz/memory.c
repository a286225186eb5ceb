/*
 * memory.c
 *	  Memory that the core allocates, each chunk by a malloc() of its own.
 *
 * A memory context cuts its chunks from large blocks, where the address
 * sanitizer does not see one run over into the next, nor the use of one that
 * was freed.  So the linker gives the core these functions in place of
 * PostgreSQL's (--wrap).  A chunk is freed when its context is reset or deleted.
 * What PostgreSQL's own functions allocate stays as it is.
 */
#include "fuzz.h"

#include <sanitizer/allocator_interface.h>
#include <sanitizer/asan_interface.h>

#include "utils/memutils.h"

/*
 * How much larger contexts seem than they are: what the core does when there
 * is a lot of it has to happen with inputs of a few kB, too.
 */
#define SEEMS_LARGER	500

/* The chunks of one memory context. */
typedef struct Arena
{
	struct Arena *next;
	MemoryContext context;
	MemoryContextCallback callback;
	struct Chunk **chunks;
	int			count;
	int			room;
	int64		bytes;
} Arena;

/* What stands before the chunk; nobody else may touch it. */
typedef struct Chunk
{
	Arena	   *arena;
	Size		size;
	int			place;			/* in the arena's list */
	int			unused[3];		/* a multiple of 16 in all */
} Chunk;

static Arena *arenas = NULL;

extern void *__real_palloc(Size size);
extern void *__real_repalloc(void *pointer, Size size);
extern void __real_pfree(void *pointer);
extern Size __real_MemoryContextMemAllocated(MemoryContext context, bool recurse);

extern void *__wrap_palloc(Size size);
extern void *__wrap_palloc0(Size size);
extern void *__wrap_repalloc(void *pointer, Size size);
extern void __wrap_pfree(void *pointer);
extern void *__wrap_MemoryContextAlloc(MemoryContext context, Size size);
extern void *__wrap_MemoryContextAllocZero(MemoryContext context, Size size);
extern void *__wrap_MemoryContextAllocZeroAligned(MemoryContext context, Size size);
extern char *__wrap_pnstrdup(const char *in, Size len);
extern char *__wrap_pstrdup(const char *in);
extern char *__wrap_psprintf(const char *format,...) pg_attribute_printf(1, 2);
extern Size __wrap_MemoryContextMemAllocated(MemoryContext context, bool recurse);

/* Before a context is reset or deleted. */
static void
free_arena(void *arg)
{
	Arena	   *arena = arg;
	Arena	  **link = &arenas;

	while (*link != arena)
		link = &(*link)->next;
	*link = arena->next;
	for (int i = 0; i < arena->count; i++)
	{
		__asan_unpoison_memory_region(arena->chunks[i], sizeof(Chunk));
		free(arena->chunks[i]);
	}
	free(arena->chunks);
	free(arena);
}

static Arena *
arena_of(MemoryContext context)
{
	Arena	   *arena;

	for (arena = arenas; arena != NULL; arena = arena->next)
	{
		if (arena->context == context)
			return arena;
	}
	arena = calloc(1, sizeof(Arena));
	arena->context = context;
	arena->callback.func = free_arena;
	arena->callback.arg = arena;
	MemoryContextRegisterResetCallback(context, &arena->callback);
	arena->next = arenas;
	arenas = arena;
	return arena;
}

static void *
new_chunk(MemoryContext context, Size size)
{
	Arena	   *arena = arena_of(context);
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	if (arena->count == arena->room)
	{
		arena->room = Max(arena->room * 2, 64);
		arena->chunks = realloc(arena->chunks, sizeof(Chunk *) * arena->room);
	}
	chunk->arena = arena;
	chunk->size = size;
	chunk->place = arena->count;
	arena->chunks[arena->count++] = chunk;
	arena->bytes += size;
	__asan_poison_memory_region(chunk, sizeof(Chunk));
	return chunk + 1;
}

/* The head of one of our chunks, or NULL for one of PostgreSQL's. */
static Chunk *
our_chunk(void *pointer)
{
	Chunk	   *chunk = (Chunk *) pointer - 1;

	if (!__sanitizer_get_ownership(chunk))
		return NULL;
	__asan_unpoison_memory_region(chunk, sizeof(Chunk));
	return chunk;
}

static void
free_chunk(Chunk *chunk)
{
	Arena	   *arena = chunk->arena;
	Chunk	   *last = arena->chunks[--arena->count];

	arena->bytes -= chunk->size;
	if (last != chunk)
	{
		__asan_unpoison_memory_region(last, sizeof(Chunk));
		last->place = chunk->place;
		arena->chunks[last->place] = last;
		__asan_poison_memory_region(last, sizeof(Chunk));
	}
	free(chunk);
}

/* In chunks of ours. */
int64
chunk_bytes(void)
{
	int64		bytes = 0;

	for (Arena *arena = arenas; arena != NULL; arena = arena->next)
		bytes += arena->bytes;
	return bytes;
}

/* In all memory contexts. */
int64
allocated_bytes(void)
{
	return chunk_bytes() + __real_MemoryContextMemAllocated(TopMemoryContext, true);
}

void *
__wrap_MemoryContextAlloc(MemoryContext context, Size size)
{
	/* which it refuses */
	if (!AllocSizeIsValid(size))
		return __real_palloc(size);
	return new_chunk(context, size);
}

void *
__wrap_MemoryContextAllocZero(MemoryContext context, Size size)
{
	return memset(__wrap_MemoryContextAlloc(context, size), 0, size);
}

void *
__wrap_MemoryContextAllocZeroAligned(MemoryContext context, Size size)
{
	return __wrap_MemoryContextAllocZero(context, size);
}

void *
__wrap_palloc(Size size)
{
	return __wrap_MemoryContextAlloc(CurrentMemoryContext, size);
}

void *
__wrap_palloc0(Size size)
{
	return __wrap_MemoryContextAllocZero(CurrentMemoryContext, size);
}

/* Always moves, so that pointers to what was there before show. */
void *
__wrap_repalloc(void *pointer, Size size)
{
	Chunk	   *chunk = our_chunk(pointer);
	void	   *new;

	if (chunk == NULL || !AllocSizeIsValid(size))
		return __real_repalloc(pointer, size);
	new = new_chunk(chunk->arena->context, size);
	memcpy(new, pointer, Min(chunk->size, size));
	free_chunk(chunk);
	return new;
}

void
__wrap_pfree(void *pointer)
{
	Chunk	   *chunk = our_chunk(pointer);

	if (chunk == NULL)
		__real_pfree(pointer);
	else
		free_chunk(chunk);
}

char *
__wrap_pnstrdup(const char *in, Size len)
{
	char	   *out;

	len = strnlen(in, len);
	out = __wrap_palloc(len + 1);
	memcpy(out, in, len);
	out[len] = '\0';
	return out;
}

char *
__wrap_pstrdup(const char *in)
{
	return __wrap_pnstrdup(in, strlen(in));
}

char *
__wrap_psprintf(const char *format,...)
{
	char	   *result;
	Size		len = 128;

	for (;;)
	{
		va_list		args;
		Size		needed;

		result = __wrap_palloc(len);
		va_start(args, format);
		needed = pvsnprintf(result, len, format, args);
		va_end(args);
		if (needed < len)
			return __wrap_repalloc(result, needed + 1);
		__wrap_pfree(result);
		len = needed;
	}
}

static int64
bytes_below(MemoryContext context, bool recurse)
{
	int64		bytes = 0;

	for (Arena *arena = arenas; arena != NULL; arena = arena->next)
	{
		MemoryContext at = arena->context;

		while (recurse && at != NULL && at != context)
			at = MemoryContextGetParent(at);
		if (at == context)
			bytes += arena->bytes;
	}
	return bytes;
}

Size
__wrap_MemoryContextMemAllocated(MemoryContext context, bool recurse)
{
	return (__real_MemoryContextMemAllocated(context, recurse) +
			bytes_below(context, recurse)) * SEEMS_LARGER;
}
