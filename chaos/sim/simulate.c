/* simulate: live worlds from seeds; chaos/simulate --help. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "chaos/sim/minimise.h"

#define JOBS_MAX 64
#define TRIES_MAX 400

struct job {
	struct world_options options;
	uint64_t from, to;
	uint32_t nth, jobs;
	bool minimise, keep_going;
	const char *seeds_file;
};

struct sum {
	uint64_t worlds, failed, first_failed;
	struct world_counters counters;
};

static const char *const usage =
    "chaos/simulate [options]: worlds of regions in one process, each from one seed\n"
    "\n"
    "    --seeds A-B     the worlds of these seeds (default 1-500)\n"
    "    --seed N        one world\n"
    "    --file FILE     the seeds of a file: one a line, 'N' or 'N large'; # begins a comment\n"
    "    --large         up to seven regions and a thousand steps\n"
    "    --trace         every line of a world's story, and of its regions' logs, as it happens\n"
    "    --steps A,B,... only these steps of a world\n"
    "    --minimise      leave out what a failure does not need; print the story of what is left\n"
    "    --all           go on after a failure\n"
    "    --jobs N        processes (default 1)\n"
    "    --dir DIR       where regions keep their small files (default /dev/shm)\n"
    "    --list          actors, faults and checks\n";

static void
list(void)
{
	printf("actors:");
	for (uint32_t i = 0; sim_actors[i] != NULL; i++)
		printf(" %s", sim_actors[i]->name);
	printf("\nfaults:");
	for (uint32_t i = 0; sim_faults[i] != NULL; i++)
		printf(" %s", sim_faults[i]->name);
	printf("\nchecks:");
	for (uint32_t i = 0; sim_checks[i] != NULL; i++)
		printf(" %s", sim_checks[i]->name);
	printf("\n");
}

static void
add(struct world_counters *to, const struct world_counters *from)
{
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof *to / sizeof *a; i++)
		a[i] += b[i];
}

/* The last lines of a story, or all of a short one. */
static void
print_story(const struct world *world, uint32_t lines_max)
{
	size_t at = world->story.n, lines = 0;

	while (at > 0 && lines <= lines_max)
		lines += world->story.at[--at] == '\n';
	if (at > 0) {
		at++;
		printf("  ...\n");
	}
	fwrite(world->story.at + at, 1, world->story.n - at, stdout);
}

static void
report(const struct job *job, const struct world_options *options, const struct world *world)
{
	uint8_t left_out[WORLD_STEPS_MAX] = {0};
	struct world_options short_options = *options;
	struct world *shorter;
	uint32_t kept;

	printf("seed %llu%s: FAILED %s: %s\n", (unsigned long long)options->seed,
	    options->large ? " large" : "", world->failed_check, world->failure);
	printf("  again: chaos/simulate --seed %llu%s --trace\n", (unsigned long long)options->seed,
	    options->large ? " --large" : "");
	if (!job->minimise) {
		if (!options->trace)
			print_story(world, 40);
		return;
	}
	kept = minimise(options, world->failed_check, left_out, world->plan.n_steps, TRIES_MAX);
	short_options.left_out = left_out;
	short_options.n_left_out = world->plan.n_steps;
	if ((shorter = world_new(&short_options)) == NULL)
		return;
	printf("  minimised to %u of %u steps: chaos/simulate --seed %llu%s --trace --steps ", kept,
	    world->plan.n_steps, (unsigned long long)options->seed, options->large ? " --large" : "");
	for (uint32_t i = 0, n = 0; i < world->plan.n_steps; i++)
		if (left_out[i] == 0)
			printf("%s%u", n++ == 0 ? "" : ",", i + 1);
	printf("\n");
	world_run(shorter);
	print_story(shorter, 200);
	world_free(shorter);
}

/* One world. False: it failed. */
static bool
live(const struct job *job, const struct world_options *options, struct sum *sum)
{
	struct world *world = world_new(options);
	bool fine;

	if (world == NULL) {
		fprintf(
		    stderr, "simulate: no memory for a world, or %s cannot be written to\n", options->dir);
		exit(2);
	}
	fine = world_run(world);
	sum->worlds++;
	add(&sum->counters, &world->counters);
	if (!fine) {
		if (sum->failed++ == 0)
			sum->first_failed = options->seed;
		report(job, options, world);
		fflush(stdout);
	}
	world_free(world);
	return fine;
}

static void
live_file(const struct job *job, struct sum *sum)
{
	FILE *file = fopen(job->seeds_file, "r");
	char line[256], word[32];
	unsigned long long seed;
	uint64_t nth = 0;

	if (file == NULL) {
		fprintf(stderr, "simulate: %s cannot be read\n", job->seeds_file);
		exit(2);
	}
	while (fgets(line, sizeof line, file) != NULL) {
		struct world_options options = job->options;
		int n = sscanf(line, "%llu %31s", &seed, word);

		if (n < 1 || nth++ % job->jobs != job->nth)
			continue;
		options.seed = seed;
		options.large = n == 2 && strcmp(word, "large") == 0;
		if (!live(job, &options, sum) && !job->keep_going)
			break;
	}
	fclose(file);
}

static void
work(const struct job *job, struct sum *sum)
{
	if (job->seeds_file != NULL) {
		live_file(job, sum);
		return;
	}
	for (uint64_t seed = job->from + job->nth; seed <= job->to; seed += job->jobs) {
		struct world_options options = job->options;

		options.seed = seed;
		if (!live(job, &options, sum) && !job->keep_going)
			return;
	}
}

static void
work_in_processes(struct job *job, struct sum *sum)
{
	int ends[JOBS_MAX][2];

	for (uint32_t i = 0; i < job->jobs; i++) {
		pid_t pid;

		fflush(stdout);
		if (pipe(ends[i]) != 0 || (pid = fork()) < 0) {
			perror("simulate");
			exit(2);
		}
		if (pid == 0) {
			struct sum part = {0};

			job->nth = i;
			work(job, &part);
			fflush(stdout);
			_exit(write(ends[i][1], &part, sizeof part) == (ssize_t)sizeof part ? 0 : 2);
		}
		close(ends[i][1]);
	}
	for (uint32_t i = 0; i < job->jobs; i++) {
		struct sum part = {0};

		if (read(ends[i][0], &part, sizeof part) != (ssize_t)sizeof part) {
			printf("a process of the simulator died\n");
			part = (struct sum){.failed = 1};
		}
		close(ends[i][0]);
		sum->worlds += part.worlds;
		if (part.failed > 0 && sum->failed == 0)
			sum->first_failed = part.first_failed;
		sum->failed += part.failed;
		add(&sum->counters, &part.counters);
	}
	while (wait(NULL) > 0)
		;
}

static void
print_sum(const struct sum *sum, double seconds)
{
	const struct world_counters *c = &sum->counters;

#define N(field) (unsigned long long)c->field
	printf("%llu worlds, %llu failed; %llu events, %llu writes (%llu deletes, %llu refused), %llu "
	       "conflicts, "
	       "%llu tombstones collected\n",
	    (unsigned long long)sum->worlds, (unsigned long long)sum->failed, N(events), N(writes),
	    N(deletes), N(refused), N(conflicts), N(collected));
	printf("%llu crashes, %llu stops, %llu rebirths, %llu cuts, %llu lost and %llu repeated of %llu "
	       "messages, "
	       "%llu disk faults, %llu clock faults, %llu trims, %llu rejoins\n",
	    N(crashes), N(restarts), N(rebirths), N(cuts), N(lost), N(repeated), N(messages), N(disk_faults),
	    N(clock_faults), N(trims), N(rejoins));
	printf("%llu records and %llu snapshot pieces shipped; %llu tables made, %llu deleted; %llu replicas "
	       "added, "
	       "%llu removed\n",
	    N(records_shipped), N(pieces), N(tables_made), N(tables_deleted), N(replicas_added),
	    N(replicas_removed));
	printf("%llu items expired, %llu switches of time to live\n", N(expired), N(ttl_changes));
	printf("%llu transfers, whose accounts were added up %llu times\n", N(transfers), N(sums));
	printf("%llu indexes made, %llu deleted, %llu with entries at the end\n", N(indexes_made),
	    N(indexes_deleted), N(indexes_seen));
	printf("%.1f s, %.0f worlds a minute\n", seconds,
	    seconds > 0 ? (double)sum->worlds * 60 / seconds : 0.0);
#undef N
}

static bool
parse_range(const char *text, uint64_t *from, uint64_t *to)
{
	unsigned long long a, b;

	if (sscanf(text, "%llu-%llu", &a, &b) != 2)
		return false;
	*from = a;
	*to = b;
	return true;
}

/* "12,17,18": leave out all others. */
static void
keep_steps(const char *text, struct world_options *options)
{
	static uint8_t left_out[WORLD_STEPS_MAX];
	char *end;

	memset(left_out, 1, sizeof left_out);
	for (;; text = end + 1) {
		unsigned long step = strtoul(text, &end, 10);

		if (step >= 1 && step <= WORLD_STEPS_MAX)
			left_out[step - 1] = 0;
		if (*end != ',')
			break;
	}
	options->left_out = left_out;
	options->n_left_out = WORLD_STEPS_MAX;
}

static void
parse(int argc, char **argv, struct job *job)
{
	static const struct option options[] = {{"seeds", 1, NULL, 's'}, {"seed", 1, NULL, 'S'},
	    {"file", 1, NULL, 'f'}, {"large", 0, NULL, 'l'}, {"small", 0, NULL, 'n'}, {"trace", 0, NULL, 't'},
	    {"minimise", 0, NULL, 'm'}, {"all", 0, NULL, 'a'}, {"steps", 1, NULL, 'k'},
	    {"jobs", 1, NULL, 'j'}, {"dir", 1, NULL, 'd'}, {"list", 0, NULL, 'L'}, {"help", 0, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		bool fine = true;

		switch (option) {
		case 's':
			fine = parse_range(optarg, &job->from, &job->to);
			break;
		case 'S':
			job->from = job->to = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			job->seeds_file = optarg;
			break;
		case 'l':
			job->options.large = true;
			break;
		case 'n':
			job->options.large = false;
			break;
		case 't':
			job->options.trace = true;
			break;
		case 'm':
			job->minimise = true;
			break;
		case 'a':
			job->keep_going = true;
			break;
		case 'k':
			keep_steps(optarg, &job->options);
			break;
		case 'j':
			job->jobs = (uint32_t)strtoul(optarg, NULL, 10);
			fine = job->jobs >= 1 && job->jobs <= JOBS_MAX;
			break;
		case 'd':
			job->options.dir = optarg;
			break;
		case 'L':
			list();
			exit(0);
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fine = false;
		}
		if (!fine) {
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int
main(int argc, char **argv)
{
	struct job job = {.options = {.dir = "/dev/shm"}, .from = 1, .to = 500, .jobs = 1};
	struct timespec began, ended;
	struct sum sum = {0};

	parse(argc, argv, &job);
	clock_gettime(CLOCK_MONOTONIC, &began);
	if (job.jobs > 1)
		work_in_processes(&job, &sum);
	else
		work(&job, &sum);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	print_sum(
	    &sum, (double)(ended.tv_sec - began.tv_sec) + (double)(ended.tv_nsec - began.tv_nsec) / 1e9);
	return sum.failed > 0 ? 1 : 0;
}
