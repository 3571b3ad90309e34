/* Runs a fuzz target over the files of its corpus, for builds without libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t n);

static int
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *at;
	long n = -1;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (n = ftell(file)) < 0 ||
	    fseek(file, 0, SEEK_SET) != 0 || (at = malloc((size_t)n + 1)) == NULL) {
		perror(path);
		exit(1);
	}
	if (fread(at, 1, (size_t)n, file) != (size_t)n) {
		perror(path);
		exit(1);
	}
	LLVMFuzzerTestOneInput(at, (size_t)n);
	free(at);
	fclose(file);
	return 1;
}

int
main(int argc, char **argv)
{
	struct dirent *entry;
	char path[4096];
	int done = 0;
	DIR *dir;

	if (argc != 2 || (dir = opendir(argv[1])) == NULL) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return 1;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
		done += replay(path);
	}
	closedir(dir);
	printf("%d seeds\n", done);
	return done > 0 ? 0 : 1;
}
