/* SPDX-License-Identifier: MIT
 *
 * Drives a fuzz target without libFuzzer: over its corpus, where every crash that was found has its
 * file, and over some thousand inputs that are made from it by chance, the same ones in each run.
 * With arguments: over these files only.  What crashed is told by the last line on standard output.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX (1 << 20)
#define MADE_MAX 2048 /* bytes of an input that is made up */
#define MADE 10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static uint64_t seed = 1;

/* xorshift64*: small, and the same everywhere. */
static uint32_t
chance(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * UINT64_C(2685821657736338717)) >> 32) % below;
}

/* A copy of just this size, so that a sanitizer sees a read beyond the end. */
static void
run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static size_t
read_file(const char *path, uint8_t *room)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		printf("Bail out! %s cannot be read\n", path);
		exit(1);
	}
	n = fread(room, 1, INPUT_MAX, f);
	fclose(f);
	return n;
}

/* Change, cut, repeat, or lengthen. */
static size_t
change(uint8_t *data, size_t size)
{
	static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff};

	for (uint32_t n = 1 + chance(6); n > 0; n--) {
		uint32_t at = size ? chance((uint32_t)size) : 0;
		uint32_t len = size ? 1 + chance((uint32_t)(size - at)) : 0;

		switch (chance(6)) {
		case 0:
			size = at;
			break;
		case 1:
			if (size + len <= MADE_MAX) {
				memmove(data + at + len, data + at, size - at);
				size += len;
			}
			break;
		case 2:
			while (size < MADE_MAX && chance(8))
				data[size++] = (uint8_t)chance(256);
			break;
		case 3:
			if (size)
				data[at] = telling[chance(sizeof telling)];
			break;
		default:
			if (size)
				data[at] = (uint8_t)chance(256);
		}
	}
	return size;
}

static void
run_made(char **files, int n_files, uint8_t *room)
{
	size_t size = 0;

	for (unsigned i = 0; i < MADE; i++) {
		if (n_files > 0 && i % 4 == 0)
			size = read_file(files[(i / 4) % (unsigned)n_files], room);
		else if (i % 16 == 1)
			size = 0;
		if (size > MADE_MAX)
			size = MADE_MAX;
		size = change(room, size);
		run(room, size);
	}
}

/* $DFS_SRCDIR/tests/fuzz/corpus/TARGET, in the order of names. */
static int
corpus(const char *program, char ***files)
{
	const char *top = getenv("DFS_SRCDIR"), *name = strrchr(program, '/');
	struct dirent **entries;
	char path[4096];
	int n, kept = 0;

	name = name ? name + 1 : program;
	if (strncmp(name, "lt-", 3) ==
	    0) /* libtool runs programs of the build tree under this name */
		name += 3;
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
	n = scandir(path, &entries, NULL, alphasort);
	*files = calloc(n > 0 ? (size_t)n : 1, sizeof **files);
	for (int i = 0; i < n; i++) {
		char file[8192];

		snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			(*files)[kept++] = strdup(file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return kept;
}

int
main(int argc, char **argv)
{
	char **files = argv + 1;
	int n = argc - 1, point = 0;
	uint8_t *room = malloc(INPUT_MAX);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	if (n == 0)
		n = corpus(argv[0], &files);
	for (int i = 0; i < n; i++) {
		printf("# %s\n", files[i]);
		run(room, read_file(files[i], room));
		printf("ok %d - %s\n", ++point,
		       strrchr(files[i], '/') ? strrchr(files[i], '/') + 1 : files[i]);
	}
	if (argc == 1) {
		run(room, 0);
		run_made(files, n, room);
		printf("ok %d - %d inputs made by chance\n", ++point, MADE);
		for (int i = 0; i < n; i++)
			free(files[i]);
		free(files);
	}
	free(room);
	printf("1..%d\n", point);
	return 0;
}
